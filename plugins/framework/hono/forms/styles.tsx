import { raw } from "hono/html"

/**
 * Plain looks for forms, light and dark, from 320 pixels up; every colour is a property that a page may set. Contrast of
 * texts is at least 4.5 to 1, of borders 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
 */
export const formStyles = `
.edge-form{--f-text:#1b1f24;--f-soft:#57606a;--f-line:#7d8590;--f-paper:#fff;--f-accent:#0a58ca;--f-on-accent:#fff;--f-bad:#b3261e;--f-bad-paper:#fdeceb;max-width:40rem;color:var(--f-text);font:inherit;line-height:1.5}
@media (prefers-color-scheme:dark){.edge-form{--f-text:#e6edf3;--f-soft:#9da7b3;--f-line:#76818d;--f-paper:#161b22;--f-accent:#79b8ff;--f-on-accent:#0d1117;--f-bad:#ff9d94;--f-bad-paper:#3a1d1d;color-scheme:dark}}
.edge-form .field{margin:0 0 1.25rem;padding:0;border:0;min-width:0}
.edge-form label,.edge-form legend{display:block;font-weight:600;padding:0;margin-bottom:.25rem}
.edge-form .field-optional,.edge-form .field-help{color:var(--f-soft);font-weight:400}
.edge-form .field-help{margin:0 0 .375rem;font-size:.9em}
.edge-form input:not([type=checkbox],[type=radio],[type=hidden],[type=color]),.edge-form select,.edge-form textarea{box-sizing:border-box;width:100%;min-height:2.75rem;padding:.5rem .75rem;border:1px solid var(--f-line);border-radius:.5rem;background:var(--f-paper);color:inherit;font:inherit}
.edge-form textarea{resize:vertical}
.edge-form textarea[data-markdown]{font-family:ui-monospace,monospace;font-size:.95em}
.edge-form :is(input,select,textarea,button,a,fieldset):focus-visible{outline:3px solid var(--f-accent);outline-offset:2px}
.edge-form [aria-invalid=true]:not(fieldset){border-color:var(--f-bad);border-width:2px}
.edge-form .field-error{margin:.375rem 0 0;color:var(--f-bad);font-weight:600}
.edge-form .field-error::before{content:"! ";font-weight:800}
.edge-form .form-errors{margin:0 0 1.5rem;padding:1rem 1.25rem;border-left:4px solid var(--f-bad);border-radius:.5rem;background:var(--f-bad-paper);color:var(--f-text)}
.edge-form .form-errors p{margin:0;font-weight:600}
.edge-form .form-errors ul{margin:.5rem 0 0;padding-left:1.25rem}
.edge-form .form-errors p:empty+ul{margin-top:0}
.edge-form .form-errors a{color:inherit;text-decoration:underline}
.edge-form .field-tick{display:flex;gap:.625rem;align-items:center;margin:0;min-height:2.25rem;font-weight:400}
.edge-form .field-tick label{margin:0}
.edge-form .field-tick input{flex:none;width:1.25rem;height:1.25rem;margin:0;accent-color:var(--f-accent)}
.edge-form .field-choices{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));gap:0 1rem}
.edge-form .field-find{display:grid;grid-template-columns:1fr auto;gap:.5rem;margin-top:.5rem}
.edge-form .field-find .field-help{grid-column:1/-1;margin:0}
.edge-form .field-current{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;margin-bottom:.5rem}
.edge-form .field-current img{display:block;max-width:10rem;max-height:7rem;border-radius:.5rem}
.edge-form .field-current a{color:var(--f-accent)}
.edge-form button{min-height:2.75rem;padding:.5rem 1.25rem;border:1px solid var(--f-accent);border-radius:.5rem;background:transparent;color:var(--f-accent);font:inherit;font-weight:600;cursor:pointer}
.edge-form .form-actions button{background:var(--f-accent);color:var(--f-on-accent)}
.edge-form .formset{margin:0 0 1.5rem}
.edge-form .formset-row{margin:0 0 1rem;padding:1rem 1.25rem;border:1px solid var(--f-line);border-radius:.75rem}
.edge-form .formset-row>:last-child{margin-bottom:0}
.edge-form .formset-row[data-deleted]{opacity:.6}
`

/** The looks as an element; `nonce` where the page's CSP asks for one. */
export function FormStyles({ nonce }: { nonce?: string }) {
  return <style nonce={nonce}>{raw(formStyles)}</style>
}
