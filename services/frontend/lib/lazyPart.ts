// Parts of the page whose code comes when they are first shown.
import { type ComponentType, createElement, lazy } from "react";
import { ApiError } from "@/lib/api/errors";

const failed = new Set<() => void>();

/**
 * A part whose code is loaded when it is first drawn. React keeps a failed load for ever; here
 * `forgetFailedParts` lets it be tried again.
 */
export function lazyPart<P extends object>(
  load: () => Promise<{ default: ComponentType<P> }>,
): ComponentType<P> {
  const begin = () =>
    lazy(() =>
      load().catch(() => {
        failed.add(() => {
          Part = begin();
        });
        throw NOT_LOADED;
      }),
    );
  let Part = begin();
  return function LazyPart(props: P) {
    return createElement(Part as ComponentType<P>, props);
  };
}

/** Whoever tries a part of the page again tries to load its code again. */
export function forgetFailedParts(): void {
  for (const forget of failed) forget();
  failed.clear();
}

const NOT_LOADED = new ApiError(
  0,
  "part_not_loaded",
  "This part of the page could not be loaded. Check your connection and try again, or reload the page.",
);
