/** A refusal or failure of the API; `message` is the server's own sentence for the user. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** HTTP status; 0 when there was no answer at all. */
    readonly status: number,
    /** A word for programs, such as `already_pending`. */
    readonly code: string,
    detail: string,
    /** Seconds after which trying again makes sense. */
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(detail);
  }

  /** Whether the same request may work in a moment. */
  get isTemporary(): boolean {
    return [0, 429, 502, 503, 504].includes(this.status);
  }

  /** Whether what was asked for is still being worked on: the same key will get its answer. */
  get isUnderWay(): boolean {
    return UNDER_WAY.includes(this.code);
  }

  /** Whether it was refused because things stand otherwise by now than whoever asked could see. */
  get tellsOfChange(): boolean {
    return (this.status === 404 || this.status === 409) && !this.isUndecided;
  }

  /** Whether nobody knows what became of it: only the same key asks without doing it twice. */
  get isUndecided(): boolean {
    return this.isUnderWay || this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const UNDER_WAY = ["pending", "idempotency_key_in_flight"];

const SENTENCES: Record<number, string> = {
  401: "Your session has ended. Sign in again to go on.",
  403: "Your role does not allow this.",
  404: "This does not exist, or not in this organization.",
  409: "This has changed in the meantime. Look again before you go on.",
  429: "That was too often. Wait a moment and try again.",
  503: "This part of billing cannot be reached right now. Try again in a moment.",
};

/** The sentence for an answer that has none of its own. */
export function sentenceFor(status: number): string {
  return SENTENCES[status] ?? "Something went wrong on our side. Try again in a moment.";
}

// What the server says to programs, in words for who is in front of the page.
const BY_CODE: Record<string, string> = {
  pending: "This takes longer than usual. Try again in a moment: nothing is done twice.",
  idempotency_key_in_flight:
    "This is still being worked on. Try again in a moment: nothing is done twice.",
  preview_outdated:
    "The price was counted too long ago, so it is counted anew. Look at it before you confirm.",
};
const REUSED = "Something else was sent before under this name. Try again: it has a new one now.";

/** What to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiError)) return sentenceFor(500);
  if (error.code.endsWith("_reused")) return REUSED;
  return BY_CODE[error.code] ?? error.message;
}
