"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Logo } from "@/components/app/Logo";
import { ThemeToggle } from "@/components/app/ThemeToggle";
import { Button } from "@/components/ui/button";
import { Card, CardContent } from "@/components/ui/card";
import { Label, Textarea } from "@/components/ui/input";
import { messageOf } from "@/lib/api/errors";
import { billingApi } from "@/lib/billing/api";
import { billingKeys, sessionQuery } from "@/lib/billing/queries";

/** Exchanges a token for a session. An application around this page does the same by itself. */
export function SignIn() {
  return (
    <main
      id="content"
      className="mx-auto flex min-h-dvh max-w-md flex-col justify-center px-4 py-12"
    >
      <div className="mb-8 flex items-center justify-between">
        <Logo />
        <ThemeToggle />
      </div>
      <Card>
        <CardContent>
          <h1 className="font-semibold text-xl tracking-tight">Sign in to billing</h1>
          <p className="mt-1.5 mb-6 text-muted-foreground text-sm">
            Paste an access token. It becomes a cookie that no script can read, and is kept nowhere
            else.
          </p>
          <SignInForm />
        </CardContent>
      </Card>
      <p className="mt-6 text-center text-muted-foreground text-xs">
        In development, <code className="font-mono text-foreground">make token</code> prints one.
      </p>
    </main>
  );
}

export function SignInForm() {
  const queryClient = useQueryClient();
  const [token, setToken] = useState("");
  const signIn = useMutation({
    mutationFn: billingApi.signIn,
    meta: { showsErrors: true },
    onSuccess: (session) => {
      const before = queryClient.getQueryData(sessionQuery.queryKey);
      if (before && before.subject !== session.subject) {
        queryClient.removeQueries({ queryKey: billingKeys.all });
      }
      queryClient.setQueryData(sessionQuery.queryKey, session);
      // What was refused meanwhile, if anything was.
      void queryClient.invalidateQueries({ queryKey: billingKeys.all });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim()) signIn.mutate(token.trim());
  };
  return (
    <form className="space-y-4" onSubmit={submit}>
      <div className="space-y-2">
        <Label htmlFor="token">Access token</Label>
        <Textarea
          id="token"
          name="token"
          rows={4}
          required
          spellCheck={false}
          autoComplete="off"
          placeholder="eyJhbGciOi…"
          className="resize-none break-all font-mono text-xs"
          value={token}
          onChange={(event) => setToken(event.target.value)}
          aria-invalid={signIn.isError || undefined}
          aria-describedby={signIn.isError ? "token-error" : undefined}
        />
        {signIn.error && (
          <p id="token-error" role="alert" className="text-danger text-sm">
            {messageOf(signIn.error)}
          </p>
        )}
      </div>
      <Button type="submit" className="w-full" busy={signIn.isPending}>
        Sign in
      </Button>
    </form>
  );
}
