import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Suspense } from "react";
import { expect, test, vi } from "vitest";
import { ErrorBoundary } from "@/components/app/ErrorBoundary";
import { lazyPart } from "@/lib/lazyPart";

test("a part whose code did not come is loaded again when it is tried again", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const load = vi
    .fn()
    .mockRejectedValueOnce(new TypeError("Failed to fetch dynamically imported module"))
    .mockResolvedValue({ default: ({ name }: { name: string }) => <p>Hello {name}</p> });
  const Part = lazyPart<{ name: string }>(load);
  render(
    <ErrorBoundary>
      <Suspense fallback="loading">
        <Part name="Alice" />
      </Suspense>
    </ErrorBoundary>,
  );
  expect(await screen.findByText(/could not be loaded/)).toBeVisible();
  expect(load).toHaveBeenCalledOnce();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Hello Alice")).toBeVisible();
  expect(load).toHaveBeenCalledTimes(2);
});
