import { describe, expect, test } from "vitest";
import {
  daysUntil,
  formatCompact,
  formatCost,
  formatDate,
  formatDateTime,
  formatLimit,
  formatMoney,
  formatNumber,
  formatPrice,
  formatShortDate,
  plural,
} from "@/lib/format";

describe("money", () => {
  test("always shows cents, and groups thousands", () => {
    expect(formatMoney(1234.5)).toBe("$1,234.50");
    expect(formatMoney(-3)).toBe("-$3.00");
  });

  test("of a plan shows cents only where there are some", () => {
    expect(formatPrice(29)).toBe("$29");
    expect(formatPrice(29.5)).toBe("$29.50");
  });

  test("of a single call keeps its first digits, however small", () => {
    expect(formatCost(0.0001234)).toBe("$0.00012");
    expect(formatCost(0)).toBe("$0.00");
    expect(formatCost(1.239)).toBe("$1.24");
  });
});

describe("numbers", () => {
  test("are grouped, shortened, or without a limit", () => {
    expect(formatNumber(40216)).toBe("40,216");
    expect(formatCompact(1_234_567)).toBe("1.2M");
    expect(formatLimit(-1)).toBe("Unlimited");
    expect(formatLimit(500)).toBe("500");
  });

  test("name their things", () => {
    expect(plural(1, "workflow")).toBe("1 workflow");
    expect(plural(0, "workflow")).toBe("0 workflows");
  });
});

describe("times", () => {
  test("are days of UTC wherever the browser is", () => {
    expect(formatDate("2026-11-30T23:59:59Z")).toBe("Nov 30, 2026");
    expect(formatDate("2026-11-30T23:59:59-05:00")).toBe("Dec 1, 2026");
    expect(formatDate(null)).toBe("–");
    expect(formatShortDate("2026-11-05T00:00:00Z")).toBe("Nov 5");
    expect(formatDateTime("2026-11-05T21:05:00Z")).toContain("9:05");
    expect(formatDateTime(undefined)).toBe("–");
  });

  test("that are near count as whole days", () => {
    const now = new Date("2026-11-22T12:00:00Z");
    expect(daysUntil("2026-11-25T11:00:00Z", now)).toBe(3);
    expect(daysUntil("2026-11-20T00:00:00Z", now)).toBe(0);
  });
});
