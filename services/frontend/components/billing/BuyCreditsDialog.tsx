"use client";

import { type FormEvent, useState } from "react";
import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
import { Button } from "@/components/ui/button";
import {
  Dialog,
  DialogBody,
  DialogClose,
  DialogContent,
  DialogDescription,
  DialogFooter,
  DialogHeader,
  DialogTitle,
} from "@/components/ui/dialog";
import { Input, Label } from "@/components/ui/input";
import { useBuyCredits } from "@/hooks/billing/useCredits";
import { usePlans } from "@/hooks/billing/usePlans";
import { messageOf } from "@/lib/api/errors";
import { PRESETS, readAmount } from "@/lib/billing/credits";
import { formatMoney, formatPrice } from "@/lib/format";

interface BuyCreditsDialogProps {
  onClose: () => void;
}

export default function BuyCreditsDialog({ onClose }: BuyCreditsDialogProps) {
  const { organizationId } = useSession();
  const price = usePlans().data?.workflow_price;
  const buy = useBuyCredits(organizationId);
  const [typed, setTyped] = useState("25");
  const [problem, setProblem] = useState<string | null>(null);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readAmount(typed);
    setProblem("problem" in read ? read.problem : null);
    if ("amount" in read) buy.mutate(read.amount);
  };
  const choose = (text: string) => {
    setTyped(text);
    setProblem(null);
    buy.reset();
  };

  return (
    <Dialog onClose={onClose} busy={buy.isPending || buy.isSuccess}>
      <DialogContent className="sm:max-w-md">
        <DialogHeader>
          <DialogTitle>Buy credits</DialogTitle>
          <DialogDescription>
            They pay for what your plan does not cover
            {price ? `: ${formatMoney(price)} a workflow.` : "."}
          </DialogDescription>
        </DialogHeader>
        <form onSubmit={submit} noValidate className="contents">
          <DialogBody className="space-y-4 pb-5">
            <fieldset className="flex flex-wrap gap-2">
              <legend className="sr-only">Amounts</legend>
              {PRESETS.map((amount) => (
                <Button
                  key={amount}
                  variant={typed === String(amount) ? "default" : "outline"}
                  size="sm"
                  aria-pressed={typed === String(amount)}
                  onClick={() => choose(String(amount))}
                >
                  {formatPrice(amount)}
                </Button>
              ))}
            </fieldset>
            <div>
              <Label htmlFor="credit-amount">Amount in dollars</Label>
              <Input
                id="credit-amount"
                className="mt-1.5 tabular-nums"
                inputMode="decimal"
                autoComplete="off"
                value={typed}
                aria-invalid={problem !== null}
                aria-describedby={problem ? "credit-amount-problem" : undefined}
                onChange={(event) => choose(event.target.value)}
              />
              {problem && (
                <p id="credit-amount-problem" role="alert" className="mt-1.5 text-danger text-sm">
                  {problem}
                </p>
              )}
            </div>
            {buy.error && <Alert role="alert" variant="danger" title={messageOf(buy.error)} />}
            <p className="text-muted-foreground text-xs">
              You pay on a page of Stripe's, and come back here.
            </p>
          </DialogBody>
          <DialogFooter>
            <DialogClose>Not now</DialogClose>
            <Button type="submit" busy={buy.isPending || buy.isSuccess}>
              Continue to payment
            </Button>
          </DialogFooter>
        </form>
      </DialogContent>
    </Dialog>
  );
}
