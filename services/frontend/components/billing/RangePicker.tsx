"use client";

import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Segmented } from "@/components/ui/segmented";
import { type DayRange, problemOf } from "@/lib/billing/costs";

const CHOICES = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "range", label: "Range" },
] as const;
type Choice = (typeof CHOICES)[number]["value"];

interface RangePickerProps {
  /** As it stands in the address. */
  chosen: string | null;
  range: DayRange;
  onChoose: (text: string | null) => void;
}

export function RangePicker({ chosen, range, onChoose }: RangePickerProps) {
  const [isOpen, setIsOpen] = useState(chosen?.includes("..") ?? false);
  const value: Choice = isOpen ? "range" : chosen === "7" ? "7" : "30";
  const choose = (choice: Choice) => {
    setIsOpen(choice === "range");
    if (choice !== "range") onChoose(choice === "30" ? null : choice);
  };
  return (
    <>
      {isOpen && <DayFields range={range} onChoose={onChoose} />}
      <Segmented label="Days" value={value} options={CHOICES} onChange={choose} />
    </>
  );
}

function DayFields({ range, onChoose }: Omit<RangePickerProps, "chosen">) {
  const [first, setFirst] = useState(range.first);
  const [last, setLast] = useState(range.last);
  const problem = problemOf(first, last);
  return (
    <form
      className="flex flex-wrap items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (!problem) onChoose(`${first}..${last}`);
      }}
    >
      <Input
        type="date"
        aria-label="First day"
        className="w-36"
        value={first}
        aria-invalid={problem !== null}
        onChange={(event) => setFirst(event.target.value)}
      />
      <span aria-hidden="true">–</span>
      <Input
        type="date"
        aria-label="Last day"
        className="w-36"
        value={last}
        aria-invalid={problem !== null}
        onChange={(event) => setLast(event.target.value)}
      />
      <Button type="submit" variant="outline" disabled={problem !== null}>
        Show
      </Button>
      {problem && (
        <p role="alert" className="w-full text-danger text-xs">
          {problem}
        </p>
      )}
    </form>
  );
}
