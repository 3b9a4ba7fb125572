"use client";

import { Component, type ReactNode } from "react";
import { Failed } from "@/components/app/Failed";
import { forgetFailedParts } from "@/lib/lazyPart";

interface Props {
  children: ReactNode;
}

/** Keeps the failure of one part from taking the page with it. */
export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  private readonly retry = () => {
    forgetFailedParts();
    this.setState({ error: null });
  };

  override render() {
    if (!this.state.error) return this.props.children;
    return <Failed error={this.state.error} onRetry={this.retry} />;
  }
}
