import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { Button } from "@/components/ui/button";
import { ScrollBox } from "@/components/ui/scroll-box";
import { Tooltip } from "@/components/ui/tooltip";

test("a busy button keeps its name", () => {
  render(<Button busy>Save card</Button>);
  expect(screen.getByRole("button", { name: "Save card" })).toHaveAttribute("aria-busy", "true");
  expect(screen.getByText("Save card")).not.toHaveClass("invisible");
});

function withTooltip() {
  const show = vi.fn();
  const hide = vi.fn();
  Object.assign(HTMLElement.prototype, { showPopover: show, hidePopover: hide });
  const onKeyDown = vi.fn();
  render(
    // biome-ignore lint/a11y/noStaticElementInteractions: stands for a dialog, which hears Escape
    <div onKeyDown={onKeyDown}>
      <Tooltip text="Only owners can do this.">
        {(id) => (
          <button type="button" aria-describedby={id}>
            Buy
          </button>
        )}
      </Tooltip>
    </div>,
  );
  return { show, hide, onKeyDown, button: screen.getByRole("button") };
}

test("a tooltip comes with the focus and goes with Escape, which goes no further", async () => {
  const { show, hide, onKeyDown, button } = withTooltip();
  expect(button).toHaveAccessibleDescription("Only owners can do this.");
  await userEvent.tab();
  await waitFor(() => expect(show).toHaveBeenCalledOnce());
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(hide).toHaveBeenCalledOnce());
  expect(onKeyDown).not.toHaveBeenCalledWith(expect.objectContaining({ key: "Escape" }));
});

test("a tooltip stays while the pointer is on it", async () => {
  const { show, hide, button } = withTooltip();
  const around = button.parentElement as HTMLElement;
  fireEvent.pointerEnter(around, { pointerType: "mouse" });
  fireEvent.pointerLeave(around, { pointerType: "mouse" });
  fireEvent.pointerEnter(around, { pointerType: "mouse" });
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(show).toHaveBeenCalledOnce();
  expect(hide).not.toHaveBeenCalled();
  fireEvent.pointerLeave(around, { pointerType: "mouse" });
  await waitFor(() => expect(hide).toHaveBeenCalledOnce());
});

test("a box is a stop of the Tab key only while it scrolls", () => {
  const { rerender } = render(<ScrollBox key="small" data-testid="box" />);
  expect(screen.getByTestId("box")).not.toHaveAttribute("tabindex");
  vi.spyOn(HTMLElement.prototype, "scrollHeight", "get").mockReturnValue(500);
  rerender(<ScrollBox key="large" data-testid="box" />);
  expect(screen.getByTestId("box")).toHaveAttribute("tabindex", "0");
});
