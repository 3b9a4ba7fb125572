"use client";

import { ArrowRight } from "lucide-react";
import { toast } from "sonner";
import { ManageButton } from "@/components/app/ManageButton";
import { QueryView } from "@/components/app/QueryView";
import { useSession } from "@/components/app/SessionProvider";
import { Alert } from "@/components/ui/alert";
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
import { Skeleton } from "@/components/ui/skeleton";
import { usePlans } from "@/hooks/billing/usePlans";
import { useSubscription } from "@/hooks/billing/useSubscription";
import { useChangePlan, useChangePreview } from "@/hooks/billing/useSubscriptionChanges";
import { messageOf } from "@/lib/api/errors";
import { changeLines, changeSentence } from "@/lib/billing/changes";
import { planName } from "@/lib/billing/plans";
import type { ChangePreviewResponse, PlanResponse, Tier } from "@/lib/billing/types";
import { formatDate, formatMoney } from "@/lib/format";

interface UpgradeDialogProps {
  tier: Tier;
  onClose: () => void;
}

/** Says what a change of plan costs and when it happens, and does it. */
export default function UpgradeDialog({ tier, onClose }: UpgradeDialogProps) {
  const { organizationId } = useSession();
  const plans = usePlans().data?.plans;
  const preview = useChangePreview(organizationId, tier);
  const name = planName(plans, tier);
  const change = useChangePlan(organizationId, (agreed) => {
    toast.success(doneSentence(agreed, name));
    onClose();
  });
  // On the way to the hosted page it stays busy, and what is counted anew cannot be agreed to yet.
  const isBusy = change.isPending || change.data === null;
  return (
    <Dialog onClose={onClose} busy={isBusy}>
      <DialogContent>
        <DialogHeader>
          <DialogTitle>{titleOf(preview.data, name)}</DialogTitle>
          <DialogDescription>
            {preview.data && changeSentence(preview.data)}
            {preview.isPending && "Counting what this comes to…"}
          </DialogDescription>
        </DialogHeader>
        <QueryView query={preview} skeleton={<PreviewSkeleton />}>
          {(data) => (
            <>
              <DialogBody className="space-y-4 pb-5">
                <Preview preview={data} plans={plans} name={name} />
                {change.error && (
                  <Alert role="alert" variant="danger" title={messageOf(change.error)} />
                )}
              </DialogBody>
              <DialogFooter>
                <DialogClose>Not now</DialogClose>
                <ManageButton
                  busy={isBusy || preview.isFetching}
                  // What could not be counted anew is not how it is now.
                  off={preview.isRefetchError ? messageOf(preview.error) : null}
                  onClick={() => change.mutate(data)}
                >
                  {confirmText(data)}
                </ManageButton>
              </DialogFooter>
            </>
          )}
        </QueryView>
      </DialogContent>
    </Dialog>
  );
}

function titleOf(preview: ChangePreviewResponse | undefined, name: string): string {
  if (preview?.kind === "keep") return `Keep ${name}?`;
  if (preview?.kind === "cancel") return `Go back to ${name}?`;
  if (preview?.kind === "downgrade") return `Downgrade to ${name}?`;
  if (preview && preview.from_tier === preview.to_tier) return `Start ${name} again?`;
  return `Upgrade to ${name}?`;
}

interface PreviewProps {
  preview: ChangePreviewResponse;
  plans: PlanResponse[] | undefined;
  name: string;
}

function Preview({ preview, plans, name }: PreviewProps) {
  return (
    <>
      <p className="flex items-center gap-2.5 font-medium text-sm">
        {planName(plans, preview.from_tier)}
        <ArrowRight aria-label="to" className="size-4 text-muted-foreground" />
        {name}
      </p>
      <Lines preview={preview} />
      {preview.warnings.map((warning) => (
        <Alert key={warning.resource} variant="warning" title={warning.detail} />
      ))}
    </>
  );
}

function Lines({ preview }: { preview: ChangePreviewResponse }) {
  const { organizationId } = useSession();
  const subscription = useSubscription(organizationId).data;
  return (
    <dl className="rounded-xl border border-border text-sm">
      {changeLines(preview, subscription).map(({ label, amount, isTotal }) => (
        <div
          key={label}
          className="flex justify-between gap-4 border-border border-b px-4 py-3 last:border-b-0"
        >
          <dt className={isTotal ? "font-medium" : "text-muted-foreground"}>{label}</dt>
          <dd className={isTotal ? "font-semibold tabular-nums" : "tabular-nums"}>
            {formatMoney(amount)}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function confirmText(preview: ChangePreviewResponse): string {
  if (preview.kind === "checkout") return "Continue to payment";
  if (preview.kind === "keep") return "Keep plan";
  if (preview.kind === "upgrade") return `Pay ${formatMoney(preview.due_now)} and upgrade`;
  return preview.kind === "cancel" ? "Cancel plan" : "Downgrade";
}

function doneSentence(preview: ChangePreviewResponse, name: string): string {
  if (preview.kind === "upgrade") return `You are on ${name} now.`;
  if (preview.kind === "keep") return `You stay on ${name}.`;
  return `Changes to ${name} on ${formatDate(preview.takes_effect_at)}.`;
}

function PreviewSkeleton() {
  return (
    <DialogBody className="space-y-4 pb-6">
      <Skeleton className="h-5 w-40" />
      <Skeleton className="h-24 w-full rounded-xl" />
    </DialogBody>
  );
}
