import { type Spent, spentText } from "@/lib/billing/costs";

/** What calls cost. Without a price it is not nothing: nobody knows it yet. */
export function SpentText({ spent }: { spent: Spent }) {
  const { cost, unpriced } = spentText(spent);
  return (
    <>
      {cost}
      {unpriced && <span className="block whitespace-nowrap text-warning text-xs">{unpriced}</span>}
    </>
  );
}
