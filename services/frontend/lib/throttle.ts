/** Calls at once, then at most once per interval; the last call is never lost. */
export function throttle(call: () => void, intervalMs: number): { (): void; cancel(): void } {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  const run = () => {
    again = false;
    call();
    waiting = setTimeout(() => {
      waiting = undefined;
      if (again) run();
    }, intervalMs);
  };
  const throttled = () => {
    if (waiting === undefined) run();
    else again = true;
  };
  throttled.cancel = () => {
    clearTimeout(waiting);
    waiting = undefined;
    again = false;
  };
  return throttled;
}
