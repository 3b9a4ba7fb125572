import { RotateCw, Unplug } from "lucide-react";
import { Button } from "@/components/ui/button";
import { messageOf } from "@/lib/api/errors";

export interface FailedProps {
  error: unknown;
  onRetry: () => void;
  isRetrying?: boolean;
}

/** What stands in place of something that could not be loaded. */
export function Failed({ error, onRetry, isRetrying = false }: FailedProps) {
  return (
    <div role="alert" className="flex flex-col items-center px-6 py-10 text-center">
      <span className="mb-3 grid size-10 place-items-center rounded-full bg-muted">
        <Unplug aria-hidden="true" className="size-5 text-muted-foreground" />
      </span>
      <p className="max-w-sm text-sm">{messageOf(error)}</p>
      <Button variant="outline" size="sm" className="mt-4" busy={isRetrying} onClick={onRetry}>
        <RotateCw aria-hidden="true" />
        Try again
      </Button>
    </div>
  );
}
