"use client";

import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ComponentProps, createContext, type ReactNode, use } from "react";
import { Button } from "@/components/ui/button";
import { ScrollBox } from "@/components/ui/scroll-box";
import { cn } from "@/lib/utils";

const BusyContext = createContext(false);

export interface DialogProps {
  onClose: () => void;
  /** While it does what it is for, it stays: who closed it would not see how that ended. */
  busy?: boolean;
  children: ReactNode;
}

/** Is open as long as it is rendered. */
export function Dialog({ onClose, busy = false, children }: DialogProps) {
  return (
    <BusyContext value={busy}>
      <Base.Root open onOpenChange={(isOpen) => !isOpen && !busy && onClose()}>
        {children}
      </Base.Root>
    </BusyContext>
  );
}

export function DialogClose({ children }: { children: ReactNode }) {
  return (
    <Base.Close disabled={use(BusyContext)} render={<Button variant="outline" />}>
      {children}
    </Base.Close>
  );
}

export const BACKDROP =
  "fixed inset-0 z-50 bg-black/45 backdrop-blur-[2px] transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0 dark:bg-black/65";
export const POPUP =
  "fixed z-50 flex max-h-[calc(100dvh-2rem)] flex-col overflow-hidden border border-border bg-surface shadow-2xl outline-none transition-[opacity,transform] duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0 max-sm:inset-x-0 max-sm:bottom-0 max-sm:rounded-t-2xl max-sm:data-starting-style:translate-y-6 sm:top-1/2 sm:left-1/2 sm:w-[calc(100vw-2rem)] sm:max-w-lg sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl sm:data-starting-style:scale-[0.98]";

export function DialogContent({
  className,
  children,
  ...props
}: ComponentProps<typeof Base.Popup>) {
  return (
    <Base.Portal>
      <Base.Backdrop data-slot="dialog-backdrop" className={BACKDROP} />
      <Base.Popup data-slot="dialog-content" className={cn(POPUP, className)} {...props}>
        {children}
        <Base.Close
          disabled={use(BusyContext)}
          render={<Button variant="ghost" size="icon" className="absolute top-3 right-3" />}
          aria-label="Close"
        >
          <X aria-hidden="true" />
        </Base.Close>
      </Base.Popup>
    </Base.Portal>
  );
}

export function DialogHeader({ className, ...props }: ComponentProps<"div">) {
  return (
    <div
      data-slot="dialog-header"
      className={cn("space-y-1.5 px-6 pt-6 pr-14 pb-4", className)}
      {...props}
    />
  );
}

export function DialogBody({ className, ...props }: ComponentProps<"div">) {
  return (
    <ScrollBox
      data-slot="dialog-body"
      className={cn("min-h-0 flex-1 overflow-y-auto px-6 py-2", className)}
      {...props}
    />
  );
}

export function DialogFooter({ className, ...props }: ComponentProps<"div">) {
  return (
    <div
      data-slot="dialog-footer"
      className={cn(
        "flex flex-col-reverse gap-2 border-border border-t bg-muted/40 px-6 py-4 sm:flex-row sm:justify-end",
        className,
      )}
      {...props}
    />
  );
}

export function DialogTitle({ className, ...props }: ComponentProps<typeof Base.Title>) {
  return (
    <Base.Title
      data-slot="dialog-title"
      className={cn("font-semibold text-lg leading-snug tracking-tight", className)}
      {...props}
    />
  );
}

export function DialogDescription({
  className,
  ...props
}: ComponentProps<typeof Base.Description>) {
  return (
    <Base.Description
      data-slot="dialog-description"
      className={cn("text-muted-foreground text-sm leading-relaxed", className)}
      {...props}
    />
  );
}
