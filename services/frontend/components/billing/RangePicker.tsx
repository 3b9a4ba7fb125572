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

// Two of them and a button share a row on a phone, where all of a field opens the calendar.
const DAY =
  "sm:w-36 max-sm:flex-1 max-sm:px-2 pointer-coarse:[&::-webkit-calendar-picker-indicator]:hidden";

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
      className="max-sm:w-full"
      onSubmit={(event) => {
        event.preventDefault();
        if (!problem) onChoose(`${first}..${last}`);
      }}
    >
      <div className="flex items-center gap-2 max-sm:gap-1.5">
        <Input
          type="date"
          aria-label="First day"
          className={DAY}
          value={first}
          aria-invalid={problem !== null}
          onChange={(event) => setFirst(event.target.value)}
        />
        <span aria-hidden="true">–</span>
        <Input
          type="date"
          aria-label="Last day"
          className={DAY}
          value={last}
          aria-invalid={problem !== null}
          onChange={(event) => setLast(event.target.value)}
        />
        <Button type="submit" variant="outline" className="max-sm:px-3" disabled={problem !== null}>
          Show
        </Button>
      </div>
      {problem && (
        <p role="alert" className="mt-2 text-danger text-xs">
          {problem}
        </p>
      )}
    </form>
  );
}
