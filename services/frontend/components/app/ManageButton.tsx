"use client";

import { Button, type ButtonProps } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { useRole } from "@/hooks/useRole";

export interface ManageButtonProps extends ButtonProps {
  /** Another reason why the button is off, told in the same way. */
  off?: string | null;
}

/** A button for who may change billing; for everyone else it is off and says why. */
export function ManageButton({ off = null, onClick, ...props }: ManageButtonProps) {
  const reason = useRole().whyNot ?? off;
  if (!reason) return <Button onClick={onClick} {...props} />;
  return (
    <Tooltip text={reason}>
      {(describedBy) => (
        <Button
          {...props}
          aria-disabled="true"
          aria-describedby={describedBy}
          onClick={(event) => event.preventDefault()}
        />
      )}
    </Tooltip>
  );
}
