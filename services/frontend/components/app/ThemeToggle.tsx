"use client";

import { Monitor, Moon, Sun } from "lucide-react";
import { useTheme } from "next-themes";
import { Button } from "@/components/ui/button";
import { useMounted } from "@/hooks/useMounted";

const THEMES = [
  { name: "system", text: "as on this device", Icon: Monitor },
  { name: "light", text: "light", Icon: Sun },
  { name: "dark", text: "dark", Icon: Moon },
] as const;

/** Goes through the three themes, one with each click. */
export function ThemeToggle() {
  const { theme, setTheme } = useTheme();
  const isMounted = useMounted();
  const index = THEMES.findIndex((each) => each.name === theme);
  // Which theme it is, is known only in the browser.
  const current = (isMounted && THEMES[index]) || THEMES[0];
  const next = THEMES[(index + 1) % THEMES.length] ?? THEMES[0];
  return (
    <Button
      variant="ghost"
      size="icon"
      aria-label={`Theme: ${current.text}. Change to ${next.text}.`}
      onClick={() => setTheme(next.name)}
    >
      <current.Icon aria-hidden="true" />
    </Button>
  );
}
