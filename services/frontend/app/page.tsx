import type { Metadata } from "next";

export const metadata: Metadata = {
  other: { refresh: "0; url=/settings/billing/" },
};

/** The gateway leads on by itself; this is for `next dev`. */
export default function Home() {
  return <a href="/settings/billing/">Billing</a>;
}
