"use client";

import { type ComponentProps, useEffect, useRef, useState } from "react";

/** A box that may scroll, and is a stop of the Tab key while it does. */
export function ScrollBox(props: ComponentProps<"div">) {
  const box = useRef<HTMLDivElement>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () =>
      setScrolls(
        element.scrollHeight > element.clientHeight || element.scrollWidth > element.clientWidth,
      );
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    return () => observer.disconnect();
  }, []);
  return <div ref={box} tabIndex={scrolls ? 0 : undefined} {...props} />;
}
