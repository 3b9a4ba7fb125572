export function Logo() {
  return (
    <span className="inline-flex items-center gap-2 font-semibold text-sm tracking-tight">
      <svg viewBox="0 0 24 24" aria-hidden="true" className="size-6">
        <rect width="24" height="24" rx="7" className="fill-primary" />
        <circle
          cx="12"
          cy="12"
          r="4.75"
          fill="none"
          strokeWidth="2.5"
          className="stroke-primary-foreground"
          strokeDasharray="22.4 7.45"
          transform="rotate(-48 12 12)"
          strokeLinecap="round"
        />
      </svg>
      OmoiOS
    </span>
  );
}
