"use client";

import { useSession } from "@/components/app/SessionProvider";

/** What the user may do here, and why not. */
export function useRole() {
  const { role, canManage, whyNot } = useSession();
  return { role, canManage, whyNot };
}
