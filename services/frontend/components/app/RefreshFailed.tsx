import { Button } from "@/components/ui/button";

interface RefreshFailedProps {
  onRetry: () => void;
  isRetrying: boolean;
}

/** Under what is shown, when it may not be how things are now. */
export function RefreshFailed({ onRetry, isRetrying }: RefreshFailedProps) {
  return (
    <p
      role="status"
      className="flex flex-wrap items-center gap-x-2 px-5 py-2 text-warning text-xs sm:px-6"
    >
      This could not be refreshed and may be out of date.
      <Button variant="link" size="sm" busy={isRetrying} onClick={onRetry}>
        Refresh
      </Button>
    </p>
  );
}
