import Link from "next/link";
import { buttonVariants } from "@/components/ui/button";

export default function NotFound() {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col items-center justify-center px-4 text-center">
      <p className="text-muted-foreground text-sm tabular-nums">404</p>
      <h1 className="mt-2 font-semibold text-xl tracking-tight">
        There is nothing at this address
      </h1>
      <Link
        href="/settings/billing/"
        prefetch={false}
        className={buttonVariants({ className: "mt-6" })}
      >
        Go to billing
      </Link>
    </main>
  );
}
