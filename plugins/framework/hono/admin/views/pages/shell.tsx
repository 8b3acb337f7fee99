import type { Child } from "hono/jsx"
import { CsrfField } from "../../../app/elements.tsx"
import type { Message } from "../../../app/messages.ts"
import { assetFiles } from "../../assets.ts"
import type { MenuGroup } from "../menu.ts"
import { readTheme } from "../theme.ts"
import type { PageFacts, AdminRequest } from "../request.tsx"
import { authOf } from "../../../auth/auth.ts"
import { ShortcutHelp } from "./help.tsx"
import { type Glyph, Icon } from "./icons.tsx"

interface ShellProps {
  readonly request: AdminRequest
  readonly facts: PageFacts
  readonly menu: readonly MenuGroup[]
  readonly messages: readonly Message[]
  readonly children: Child
}

/** The admin's htmx evaluates nothing, talks to this site only, and keeps no page in the browser's storage. */
const HTMX = JSON.stringify({ includeIndicatorStyles: false, allowEval: false, allowScriptTags: false, selfRequestsOnly: true, historyCacheSize: 0, refreshOnHistoryMiss: true })

/** Everything around a page: head, menu, way, title, messages. */
export function Shell({ request, facts, menu, messages, children }: ShellProps): Child {
  const { site, c } = request
  const file = (name: string) => site.aside("assets", name)
  const theme = readTheme(c)
  return (
    <html lang="en" data-theme={theme} data-home={site.path}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="htmx-config" content={HTMX} />
        <title>{`${facts.title} · ${site.title}`}</title>
        <link rel="icon" href={file(assetFiles.icon)} type="image/svg+xml" />
        <link rel="stylesheet" href={file(assetFiles.css)} />
        <script src={file(assetFiles.htmx)} nonce={c.var.nonce} defer></script>
        <script src={file(assetFiles.js)} nonce={c.var.nonce} defer></script>
      </head>
      <body>
        <a class="skip" href="#content">
          Skip to content
        </a>
        <Sidebar request={request} menu={menu} at={facts.at} />
        <div class="frame">
          <header class="top">
            <button class="icon-button only-narrow" type="button" popovertarget="menu" aria-label="Menu">
              <Icon name="menu" size={22} />
            </button>
            <nav class="crumbs" aria-label="Breadcrumb">
              <ol>
                {facts.crumbs.map(crumb => (
                  <li>{crumb.href === undefined ? <span aria-current="page">{crumb.label}</span> : <a href={crumb.href}>{crumb.label}</a>}</li>
                ))}
              </ol>
            </nav>
            <div class="top-tools">
              <button class="jump only-script" type="button" data-open="jump" aria-haspopup="dialog">
                <Icon name="search" size={16} />
                <span>Jump to…</span>
                <kbd aria-hidden="true">Ctrl K</kbd>
              </button>
              <button class="icon-button" type="button" popovertarget="help" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">
                <Icon name="keyboard" size={20} />
              </button>
            </div>
          </header>
          <Toasts messages={messages} />
          <main id="content" tabindex={-1}>
            <div class="title-row">
              <div>
                <h1>{facts.title}</h1>
                {facts.subtitle !== undefined && <p class="subtitle">{facts.subtitle}</p>}
              </div>
              {facts.tools !== undefined && <div class="tools">{facts.tools}</div>}
            </div>
            {children}
          </main>
          <p id="live" class="visually-hidden" role="status" aria-live="polite"></p>
        </div>
        <ShortcutHelp />
        <Jump menu={menu} home={site.path} />
      </body>
    </html>
  )
}

function Sidebar({ request, menu, at }: { request: AdminRequest; menu: readonly MenuGroup[]; at: string | undefined }): Child {
  const { site, user } = request
  const { paths } = authOf(request.c.var.app)
  const link = (o: { href: string; label: string; icon: Glyph; current: boolean }) => (
    <a href={o.href} aria-current={o.current ? "page" : undefined}>
      <Icon name={o.icon} />
      <span>{o.label}</span>
    </a>
  )
  return (
    <nav id="menu" class="sidebar" popover="auto" aria-label="Main">
      <a class="brand" href={site.path}>
        <span class="brand-mark" aria-hidden="true">
          {[...site.title.trim()][0]?.toUpperCase() ?? "A"}
        </span>
        <span class="brand-name">{site.title}</span>
      </a>
      <div class="menu">
        <ul>
          <li>{link({ href: site.path, label: "Dashboard", icon: "home", current: at === "" })}</li>
        </ul>
        {menu.map((group, i) => (
          <>
            <h2 id={`menu-${i}`}>{group.title}</h2>
            <ul aria-labelledby={`menu-${i}`}>
              {group.items.map(item => (
                <li>{link({ href: item.href, label: item.label, icon: item.icon, current: at === item.name })}</li>
              ))}
            </ul>
          </>
        ))}
      </div>
      <div class="sidebar-foot">
        <ThemeSwitch request={request} />
        {site.settings.site !== false && link({ href: site.settings.site ?? "/", label: "View site", icon: "external", current: false })}
        <div class="who">
          <a href={paths.account} class="who-name">
            <span class="avatar" aria-hidden="true">
              {[...(user.name || user.email)][0]?.toUpperCase()}
            </span>
            <span class="who-text">
              <strong>{user.name || user.email}</strong>
              <small>{user.isSuperuser ? "Superuser" : "Staff"}</small>
            </span>
          </a>
          <form method="post" action={paths.logout}>
            <CsrfField />
            <button class="icon-button" type="submit" aria-label="Log out" title="Log out">
              <Icon name="logout" />
            </button>
          </form>
        </div>
      </div>
    </nav>
  )
}

/** Where the switch leads back to; the answer to a post has no address of its own. */
function here({ c, site }: AdminRequest): string {
  const { pathname, search } = new URL(c.req.url)
  return c.req.method === "GET" ? pathname + search : site.path
}

const THEMES = [
  ["light", "Light", "sun"],
  ["auto", "As the system", "half"],
  ["dark", "Dark", "moon"],
] as const

function ThemeSwitch({ request }: { request: AdminRequest }): Child {
  const theme = readTheme(request.c)
  return (
    <form class="theme" method="post" action={request.site.aside("theme")} data-theme-switch>
      <CsrfField />
      <input type="hidden" name="next" value={here(request)} />
      <fieldset>
        <legend class="visually-hidden">Colours</legend>
        {THEMES.map(([value, label, icon]) => (
          <button type="submit" name="theme" value={value} aria-pressed={theme === value ? "true" : "false"} aria-label={label} title={label}>
            <Icon name={icon} size={16} />
          </button>
        ))}
      </fieldset>
    </form>
  )
}

const TOAST_ICONS = { success: "check", info: "info", warning: "warning", error: "warning" } as const

function Toasts({ messages }: { messages: readonly Message[] }): Child {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {messages.map(message => (
        <div class={`toast toast-${message.kind}`}>
          <Icon name={TOAST_ICONS[message.kind]} />
          <p>{message.text}</p>
          <button type="button" class="icon-button only-script" data-dismiss aria-label="Dismiss">
            <Icon name="close" size={16} />
          </button>
        </div>
      ))}
    </div>
  )
}

/** The quick way to any page of the menu; for keyboards, so it needs a script. */
function Jump({ menu, home }: { menu: readonly MenuGroup[]; home: string }): Child {
  const items = menu.flatMap(group => group.items.flatMap(item => [{ label: item.label, href: item.href, group: group.title }, ...(item.add === undefined ? [] : [{ label: `Add to ${item.label}`, href: item.add, group: group.title }])]))
  return (
    <dialog id="jump" class="jump-dialog" aria-label="Jump to a page">
      <input type="search" id="jump-search" placeholder="Jump to…" aria-label="Page" autocomplete="off" role="combobox" aria-expanded="true" aria-controls="jump-list" aria-autocomplete="list" />
      <ul id="jump-list" role="listbox" aria-label="Pages">
        {[{ label: "Dashboard", href: home, group: "" }, ...items].map((item, i) => (
          <li role="option" id={`jump-${i}`} data-href={item.href} aria-selected={i === 0 ? "true" : "false"}>
            <span>{item.label}</span>
            <small>{item.group}</small>
          </li>
        ))}
      </ul>
    </dialog>
  )
}
