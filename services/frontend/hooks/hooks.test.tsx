import { act, renderHook } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { useMounted } from "@/hooks/useMounted";
import { useOnline } from "@/hooks/useOnline";
import { useUrlState } from "@/hooks/useUrlState";

test("state in the address is shared, and leaves when it is null", () => {
  const first = renderHook(() => useUrlState("invoice"));
  const second = renderHook(() => useUrlState("invoice"));
  act(() => first.result.current[1]("in_1"));
  expect(second.result.current[0]).toBe("in_1");
  expect(window.location.search).toBe("?invoice=in_1");
  act(() => second.result.current[1](null));
  expect(first.result.current[0]).toBeNull();
  expect(window.location.search).toBe("");
});

test("a lost connection is noticed", () => {
  const { result } = renderHook(() => useOnline());
  expect(result.current).toBe(true);
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  act(() => {
    window.dispatchEvent(new Event("offline"));
  });
  expect(result.current).toBe(false);
});

test("a browser is not a build", () => {
  expect(renderHook(() => useMounted()).result.current).toBe(true);
});
