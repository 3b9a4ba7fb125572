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
}

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

/** What to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof ApiError ? error.message : sentenceFor(500);
}
