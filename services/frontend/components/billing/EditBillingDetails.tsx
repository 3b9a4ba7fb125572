"use client";

import { type ComponentProps, type FormEvent, useState } from "react";
import { toast } from "sonner";
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
import { useUpdateAccount } from "@/hooks/billing/useBillingAccount";
import { messageOf } from "@/lib/api/errors";
import {
  type Details,
  type DetailsProblem,
  type DetailsText,
  detailsOf,
  readDetails,
} from "@/lib/billing/details";
import type { BillingAccountResponse } from "@/lib/billing/types";
import { cn } from "@/lib/utils";

interface EditBillingDetailsProps {
  account: BillingAccountResponse;
  onClose: () => void;
}

const BUYER: readonly FieldProps[] = [
  { field: "name", label: "Name", autoComplete: "organization", isWide: true },
  { field: "line1", label: "Address line 1", autoComplete: "address-line1", isWide: true },
  { field: "line2", label: "Address line 2", autoComplete: "address-line2", isWide: true },
  { field: "city", label: "City", autoComplete: "address-level2" },
  { field: "state", label: "State or region", autoComplete: "address-level1" },
  { field: "postal_code", label: "Postal code", autoComplete: "postal-code" },
  {
    field: "country",
    label: "Country, in two letters",
    autoComplete: "country",
    maxLength: 2,
    placeholder: "US",
    className: "uppercase placeholder:normal-case",
  },
  { field: "tax_id", label: "Tax ID", autoComplete: "off" },
  { field: "billing_email", label: "Billing email", autoComplete: "email", type: "email" },
];

export default function EditBillingDetails({ account, onClose }: EditBillingDetailsProps) {
  const { organizationId } = useSession();
  const update = useUpdateAccount(organizationId);
  // As it was when the form opened: what is told to have changed since is not the user's change.
  const [before] = useState(() => detailsOf(account));
  const [typed, setTyped] = useState(before);
  const [problem, setProblem] = useState<DetailsProblem | null>(null);

  const change = (changes: Partial<Details>) => {
    setTyped({ ...typed, ...changes });
    setProblem(null);
    if (update.isError) update.reset();
  };
  const propsOf = (field: DetailsText) => ({
    field,
    value: typed[field],
    problem: problem?.field === field ? problem.text : null,
    onChange: (event: { target: { value: string } }) => change({ [field]: event.target.value }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (update.isPending) return;
    const read = readDetails(typed, before, detailsOf(account));
    if ("problem" in read) {
      setProblem(read.problem);
      document.getElementById(idOf(read.problem.field))?.focus();
      return;
    }
    update.mutate(read.changes, {
      onSuccess: () => {
        toast.success("Billing details are saved.");
        onClose();
      },
    });
  };

  return (
    <Dialog onClose={onClose} busy={update.isPending}>
      <DialogContent className="sm:max-w-xl">
        <DialogHeader>
          <DialogTitle>Edit billing details</DialogTitle>
          <DialogDescription>They stand on invoices from now on.</DialogDescription>
        </DialogHeader>
        <form onSubmit={submit} noValidate className="contents">
          <DialogBody className="space-y-6 pb-5">
            <div className="grid gap-4 sm:grid-cols-2">
              {BUYER.map((props) => (
                <Field key={props.field} {...props} {...propsOf(props.field)} />
              ))}
            </div>
            <fieldset className="space-y-4 rounded-xl border border-border p-4">
              <legend className="sr-only">Auto-billing</legend>
              <AutoBilling
                isOn={typed.isAutomatic}
                hasCard={account.has_payment_method}
                onChange={(isAutomatic) => change({ isAutomatic })}
              />
              {typed.isAutomatic && (
                <Field
                  {...propsOf("limit")}
                  label="Monthly limit in dollars"
                  inputMode="decimal"
                  autoComplete="off"
                  placeholder="None"
                  className="tabular-nums"
                />
              )}
            </fieldset>
          </DialogBody>
          {/* Below what scrolls, so that it is seen. */}
          {update.error && (
            <Alert
              role="alert"
              variant="danger"
              className="mx-6 mb-4"
              title={messageOf(update.error)}
            />
          )}
          <DialogFooter>
            <DialogClose>Not now</DialogClose>
            <Button type="submit" busy={update.isPending}>
              Save
            </Button>
          </DialogFooter>
        </form>
      </DialogContent>
    </Dialog>
  );
}

const idOf = (field: DetailsText) => `details-${field}`;

interface FieldProps extends ComponentProps<"input"> {
  field: DetailsText;
  label: string;
  isWide?: boolean;
  problem?: string | null;
}

function Field({ field, label, isWide = false, problem, className, ...props }: FieldProps) {
  const id = idOf(field);
  return (
    <div className={cn(isWide && "sm:col-span-2")}>
      <Label htmlFor={id}>{label}</Label>
      <Input
        id={id}
        className={cn("mt-1.5", className)}
        maxLength={200}
        aria-invalid={Boolean(problem)}
        aria-describedby={problem ? `${id}-problem` : undefined}
        {...props}
      />
      {problem && (
        <p id={`${id}-problem`} role="alert" className="mt-1.5 text-danger text-sm">
          {problem}
        </p>
      )}
    </div>
  );
}

interface AutoBillingProps {
  isOn: boolean;
  hasCard: boolean;
  onChange: (isOn: boolean) => void;
}

function AutoBilling({ isOn, hasCard, onChange }: AutoBillingProps) {
  return (
    <div className="flex items-start gap-3">
      <input
        id="details-automatic"
        type="checkbox"
        className="mt-0.5 size-4.5 shrink-0 accent-brand"
        checked={isOn}
        aria-describedby="details-automatic-meaning"
        onChange={(event) => onChange(event.target.checked)}
      />
      <div className="text-sm">
        <Label htmlFor="details-automatic">Auto-billing</Label>
        <div id="details-automatic-meaning" className="mt-1 space-y-1 text-muted-foreground">
          <p>
            When plan, free workflows and credits are used up, workflows go on and the default card
            is charged by invoice.
          </p>
          {!hasCard && (
            <p className="text-warning">
              There is no card to charge yet: add one under payment methods.
            </p>
          )}
        </div>
      </div>
    </div>
  );
}
