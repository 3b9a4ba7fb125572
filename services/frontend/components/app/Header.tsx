"use client";

import { LogOut } from "lucide-react";
import type { ReactNode } from "react";
import { useLiveStatus } from "@/components/app/LiveProvider";
import { Logo } from "@/components/app/Logo";
import { OrganizationSwitcher } from "@/components/app/OrganizationSwitcher";
import { useSession } from "@/components/app/SessionProvider";
import { ThemeToggle } from "@/components/app/ThemeToggle";
import { Button } from "@/components/ui/button";
import type { LiveStatus } from "@/lib/billing/live";
import { cn } from "@/lib/utils";

export function HeaderFrame({ children }: { children?: ReactNode }) {
  return (
    <header className="sticky top-0 z-30 border-border border-b bg-background/85 backdrop-blur-md">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-primary focus:px-3 focus:py-2 focus:text-primary-foreground focus:text-sm"
      >
        Skip to content
      </a>
      <div className="mx-auto flex h-14 max-w-6xl items-center gap-3 px-4 sm:px-6">
        <Logo />
        {children}
      </div>
    </header>
  );
}

export function Header() {
  const { signOut } = useSession();
  return (
    <HeaderFrame>
      <span aria-hidden="true" className="text-border text-lg">
        /
      </span>
      <OrganizationSwitcher />
      <div className="ml-auto flex items-center gap-1">
        <LiveIndicator status={useLiveStatus()} />
        <ThemeToggle />
        <Button variant="ghost" size="icon" aria-label="Sign out" onClick={signOut}>
          <LogOut aria-hidden="true" />
        </Button>
      </div>
    </HeaderFrame>
  );
}

const LIVE: Record<LiveStatus, { text: string; dot: string }> = {
  connecting: { text: "Connecting", dot: "bg-muted-foreground" },
  live: { text: "Live", dot: "bg-success" },
  away: { text: "Reconnecting", dot: "bg-warning animate-pulse" },
};

function LiveIndicator({ status }: { status: LiveStatus }) {
  const { text, dot } = LIVE[status];
  return (
    <output className="mr-1 inline-flex items-center gap-1.5 px-2 text-muted-foreground text-xs">
      <span aria-hidden="true" className={cn("size-1.5 rounded-full", dot)} />
      <span className="max-sm:sr-only">{text}</span>
    </output>
  );
}
