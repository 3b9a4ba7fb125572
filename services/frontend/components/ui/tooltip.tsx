"use client";

import {
  type ReactNode,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { cn } from "@/lib/utils";

const GAP = 8;
// As long as a pointer takes from the control to the sentence.
const LINGER_MS = 150;

export interface TooltipProps {
  text: string;
  className?: string;
  /** Gets the id of the tooltip for `aria-describedby`. */
  children: (describedBy: string) => ReactNode;
}

/**
 * A sentence about a control, for pointer, keyboard and screen reader. It lies above everything,
 * within the window; it stays while the pointer is on it, and goes with Escape.
 */
export function Tooltip({ text, className, children }: TooltipProps) {
  const id = useId();
  const control = useRef<HTMLSpanElement>(null);
  const sentence = useRef<HTMLSpanElement>(null);
  const leaving = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [isOpen, setIsOpen] = useState(false);

  const open = () => {
    clearTimeout(leaving.current);
    setIsOpen(true);
  };
  const close = useCallback(() => {
    clearTimeout(leaving.current);
    setIsOpen(false);
  }, []);
  useEffect(() => () => clearTimeout(leaving.current), []);

  useLayoutEffect(() => {
    if (!isOpen || !control.current || !sentence.current) return;
    const [around, shown] = [control.current, sentence.current];
    const place = () => putAbove(around, shown);
    const dismiss = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      // Only this goes; a dialog around it stays.
      event.stopPropagation();
      close();
    };
    const leave = ({ target }: PointerEvent) => {
      if (!around.contains(target as Node)) close();
    };
    shown.showPopover?.();
    place();
    window.addEventListener("scroll", place, true);
    window.addEventListener("resize", place);
    document.addEventListener("keydown", dismiss, true);
    document.addEventListener("pointerdown", leave);
    return () => {
      shown.hidePopover?.();
      window.removeEventListener("scroll", place, true);
      window.removeEventListener("resize", place);
      document.removeEventListener("keydown", dismiss, true);
      document.removeEventListener("pointerdown", leave);
    };
  }, [isOpen, close]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the control inside is what is used
    <span
      ref={control}
      className="relative inline-flex"
      onPointerEnter={open}
      // A finger leaves at once, and has not read it by then.
      onPointerLeave={({ pointerType }) => {
        if (pointerType !== "touch") leaving.current = setTimeout(close, LINGER_MS);
      }}
      onFocus={open}
      onBlur={close}
    >
      {children(id)}
      <span
        ref={sentence}
        id={id}
        role="tooltip"
        popover="manual"
        className={cn(
          "fixed inset-auto m-0 w-max max-w-60 rounded-md bg-primary px-2.5 py-1.5 text-left font-normal text-primary-foreground text-xs leading-snug shadow-lg",
          className,
        )}
      >
        {text}
      </span>
    </span>
  );
}

/** Above the middle of a control, or below it where there is no room, never outside the window. */
function putAbove(control: HTMLElement, sentence: HTMLElement): void {
  const around = control.getBoundingClientRect();
  const { width, height } = sentence.getBoundingClientRect();
  const middle = around.left + around.width / 2 - width / 2;
  const most = document.documentElement.clientWidth - width - GAP;
  const above = around.top - height - GAP;
  sentence.style.left = `${Math.max(GAP, Math.min(middle, most))}px`;
  sentence.style.top = `${above >= GAP ? above : around.bottom + GAP}px`;
}
