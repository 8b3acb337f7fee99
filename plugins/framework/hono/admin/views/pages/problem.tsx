import type { Child } from "hono/jsx"
import { Icon } from "./icons.tsx"

export function ProblemPage({ status, text, home }: { status: number; text: string; home: string }): Child {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={status === 403 ? "lock" : "search"} size={28} />
      </span>
      <h2>{text}</h2>
      <a class="button" href={home}>
        To the dashboard
      </a>
    </div>
  )
}
