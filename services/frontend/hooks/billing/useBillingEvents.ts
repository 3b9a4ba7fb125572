"use client";

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { type LiveEvent, type Telling, TOPICS_OF, tellingOf } from "@/lib/billing/events";
import { LiveConnection, type LiveStatus } from "@/lib/billing/live";
import { type BillingTopic, billingKeys, sessionQuery } from "@/lib/billing/queries";
import { throttle } from "@/lib/throttle";

const AT_MOST_EVERY_MS = 500;
const POLL_MS = 30_000;
// A page that is younger than this when its first stream begins has just asked for everything.
const FRESH_MS = 5_000;

/** Keeps what the page remembers up to date; polls while there is no live stream. */
export function useBillingEvents(organization: string): LiveStatus {
  const queryClient = useQueryClient();
  const [status, setStatus] = useState<LiveStatus>("connecting");

  useEffect(() => {
    const refresh = refresher(queryClient, organization);
    const hear = (event: LiveEvent) => {
      refresh.after(event);
      const telling = tellingOf(event);
      if (telling) tell(telling);
    };
    const connection = new LiveConnection(organization, hear, setStatus);
    return () => {
      connection.stop();
      refresh.cancel();
    };
  }, [queryClient, organization]);

  useEffect(() => {
    if (status !== "away") return;
    const poll = setInterval(
      () => queryClient.invalidateQueries({ queryKey: billingKeys.all }),
      POLL_MS,
    );
    return () => clearInterval(poll);
  }, [queryClient, status]);

  return status;
}

const TOASTS = {
  info: toast.info,
  success: toast.success,
  warning: toast.warning,
  critical: toast.error,
};

function tell({ severity, title, text }: Telling) {
  TOASTS[severity](title, { description: text });
}

function refresher(queryClient: QueryClient, organization: string) {
  const everything = throttle(() => {
    queryClient.invalidateQueries({ queryKey: billingKeys.all });
    queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
  }, AT_MOST_EVERY_MS);
  const openedAt = Date.now();
  let isFirst = true;
  const topics = new Map<BillingTopic, ReturnType<typeof throttle>>();
  const refresh = (topic: BillingTopic) => {
    let throttled = topics.get(topic);
    if (!throttled) {
      const queryKey = billingKeys.of(topic, organization);
      throttled = throttle(() => queryClient.invalidateQueries({ queryKey }), AT_MOST_EVERY_MS);
      topics.set(topic, throttled);
    }
    throttled();
  };
  return {
    after: ({ name }: LiveEvent) => {
      const found = TOPICS_OF[name];
      if (found !== "all") {
        for (const topic of found) refresh(topic);
        return;
      }
      // Every stream begins with it, the first one right after everything was asked for. A tab that
      // has listened to another one's stream hears its first only once that one was lost.
      if (isFirst && Date.now() - openedAt < FRESH_MS) refreshOld(queryClient);
      else everything();
      isFirst = false;
    },
    cancel: () => {
      everything.cancel();
      for (const throttled of topics.values()) throttled.cancel();
    },
  };
}

/** Asks again for what is not fresh, and not being asked for. */
function refreshOld(queryClient: QueryClient): void {
  queryClient.invalidateQueries({
    queryKey: billingKeys.all,
    predicate: ({ state }) =>
      state.fetchStatus === "idle" && Date.now() - state.dataUpdatedAt > FRESH_MS,
  });
}
