// The typed client of the gateway's API: types come from its OpenAPI document, errors become one class.
import createClient, { type Middleware } from "openapi-fetch";
import { ApiError, sentenceFor } from "@/lib/api/errors";
import type { paths } from "@/lib/api/schema";

/** Empty means the origin that served the page. */
export const API_ORIGIN = (process.env.NEXT_PUBLIC_API_URL ?? "").replace(/\/$/, "");

const whenAway: Middleware = {
  onError: () => new ApiError(0, "no_answer", "Billing cannot be reached. Check your connection."),
};

// Longer than the gateway waits for anyone: after that no answer comes any more.
const LONGEST_MS = 60_000;

/** A network that swallows a request would else keep who waits for it waiting for ever. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_answered, fail) => {
    timer = setTimeout(() => fail(new Error("No answer came in time.")), LONGEST_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

export const client = createClient<paths>({
  baseUrl: API_ORIGIN,
  credentials: "include",
  // Looked up on each call, so that tests can stand in for the network.
  fetch: (request) => inTime(globalThis.fetch(request)),
});
client.use(whenAway);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; throws ApiError for every answer that is not a success. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw errorOf(response, error);
  return data as T;
}

/** One page of a list, and where the next one begins. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** A page of a list; throws ApiError. */
export async function unwrapPage<T>(answer: Promise<Answer<T[]>>): Promise<Page<T>> {
  const { data, error, response } = await answer;
  if (!response.ok) throw errorOf(response, error);
  return { items: data ?? [], nextCursor: nextCursorOf(response.headers.get("Link")) };
}

function nextCursorOf(link: string | null): string | null {
  const address = link?.match(/<([^>]*)>\s*;\s*rel="?next"?/)?.[1];
  return address ? new URL(address, "http://localhost").searchParams.get("cursor") : null;
}

function errorOf(response: Response, body: unknown): ApiError {
  const told = (body ?? {}) as { detail?: unknown; code?: unknown };
  const wait = Number(response.headers.get("Retry-After"));
  return new ApiError(
    response.status,
    typeof told.code === "string" ? told.code : "unknown",
    typeof told.detail === "string" ? told.detail : sentenceFor(response.status),
    Number.isFinite(wait) && wait > 0 ? wait : null,
  );
}

/** The header that makes a repeated POST the same one. */
export function idempotent(key: string | undefined): { header?: { "Idempotency-Key": string } } {
  return key ? { header: { "Idempotency-Key": key } } : {};
}
