/** Style of auth's pages, all under `.auth` so that it harms no app whose layout is around them. */
export const STYLE = `
.auth { --ink: #14181f; --soft: #5a6472; --line: #d5dae1; --edge: #868f9d; --card: #fff; --back: #f4f5f7; --accent: #1d4ed8; --on: #fff; --bad: #b3261e; --bad-back: #fdecea; --good: #14653a; --good-back: #e7f5ec;
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; box-sizing: border-box; width: 100%; max-width: 26rem; margin: 0 auto }
.auth-wide { max-width: 40rem }
@media (prefers-color-scheme: dark) { .auth { --ink: #e8ebf0; --soft: #a3adbb; --line: #39424f; --edge: #76818f; --card: #1b2129; --back: #12161c; --accent: #8ab4ff; --on: #0b1526; --bad: #ffb4ab; --bad-back: #4a1a17; --good: #8fdcae; --good-back: #12351f } }
.auth *, .auth *::before { box-sizing: border-box }
.auth-card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 2rem; margin: 0 0 1.25rem }
.auth h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 .35rem }
.auth h1 + form, .auth h2 + form { margin-top: 1.25rem }
.auth h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .25rem }
.auth p { margin: 0 0 1rem }
.auth .auth-card > :last-child { margin-bottom: 0 }
.auth .auth-lead { color: var(--soft); margin-bottom: 1.5rem }
.auth a { color: var(--accent); text-underline-offset: .15em }
.auth form { margin: 0 }
.auth-field { margin: 0 0 1.1rem }
.auth-field label { display: block; font-weight: 600; font-size: .94rem; margin: 0 0 .3rem }
.auth-field input { width: 100%; min-height: 2.75rem; padding: .55rem .75rem; font: inherit; color: inherit; background: var(--back); border: 1px solid var(--edge); border-radius: 8px }
.auth-field input:focus-visible, .auth button:focus-visible, .auth a:focus-visible, .auth summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.auth-field input[aria-invalid="true"] { border-color: var(--bad) }
.auth-field .auth-help { color: var(--soft); font-size: .875rem; margin: .3rem 0 0 }
.auth-field .auth-wrong { color: var(--bad); font-size: .9rem; font-weight: 600; margin: .3rem 0 0 }
.auth-row { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: .25rem 1rem }
.auth-row-buttons { gap: .75rem }
.auth-row a { font-size: .9rem }
.auth button { min-height: 2.75rem; padding: .55rem 1.15rem; font: inherit; font-weight: 600; color: var(--on); background: var(--accent); border: 1px solid transparent; border-radius: 8px; cursor: pointer; white-space: nowrap }
.auth a.auth-button { display: block; text-align: center; padding: .65rem 1.15rem; font-weight: 600; color: var(--on); background: var(--accent); border-radius: 8px; text-decoration: none }
.auth button:hover, .auth a.auth-button:hover { filter: brightness(1.08) }
.auth-main button { width: 100% }
.auth button.auth-quiet { color: var(--ink); background: transparent; border-color: var(--line) }
.auth button.auth-danger { color: var(--bad); background: transparent; border-color: currentColor }
.auth-note { padding: .7rem .9rem; border-radius: 8px; margin: 0 0 1.25rem; list-style: none }
.auth-bad { color: var(--bad); background: var(--bad-back) } .auth-good { color: var(--good); background: var(--good-back) }
.auth .auth-foot { text-align: center; color: var(--soft); margin-top: 1.25rem }
.auth-codes { list-style: none; text-align: center; margin: 0 0 1.25rem; padding: 1rem; background: var(--back); border-radius: 8px; font: 1rem/2 ui-monospace, "SF Mono", Menlo, monospace }
.auth-secret { font: .95rem/1.6 ui-monospace, Menlo, monospace; overflow-wrap: anywhere }
.auth-qr { display: block; width: 12rem; height: 12rem; margin: 0 auto 1rem; padding: .6rem; background: #fff; border-radius: 8px }
.auth-list { list-style: none; margin: 0 0 1rem; padding: 0 }
.auth-list li { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .75rem 0; border-top: 1px solid var(--line) }
.auth-list small { display: block; color: var(--soft) }
.auth-tag { display: inline-block; font-size: .8rem; font-weight: 600; padding: .05rem .5rem; border-radius: 99px; color: var(--good); background: var(--good-back) }
@media (max-width: 30rem) { .auth-card { padding: 1.4rem } }
`

/** Of a page that stands alone. */
export const BODY = `html { color-scheme: light dark; background: #f4f5f7 } body { margin: 0; padding: clamp(1.25rem, 8vh, 5rem) 1rem 2rem }
.auth-site { display: block; text-align: center; font: 600 1.05rem/1.4 system-ui, sans-serif; margin: 0 0 1.5rem; color: #14181f; text-decoration: none }
@media (prefers-color-scheme: dark) { html { background: #12161c } .auth-site { color: #e8ebf0 } }
`
