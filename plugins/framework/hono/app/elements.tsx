import { useRequestContext } from "hono/jsx-renderer"
import type { Child } from "hono/jsx"
import { CSRF_FIELD } from "./csrf.ts"
import type { AppEnv } from "./env.ts"

/** First thing in every form that posts: the visitor's token. */
export function CsrfField(): Child {
  const c = useRequestContext<AppEnv>()
  return <input type="hidden" name={CSRF_FIELD} value={c.var.csrf.token} />
}

/** The messages that wait for the visitor; nothing when there are none. */
export async function Flash(): Promise<Child> {
  const messages = await useRequestContext<AppEnv>().var.messages.take()
  if (messages.length === 0) return <></>
  return (
    <ul class="messages" role="status">
      {messages.map(message => (
        <li class={`message message-${message.kind}`}>{message.text}</li>
      ))}
    </ul>
  )
}
