import type { AdminRequest } from "./request.tsx"
import type { IconName } from "../model/settings.ts"

export interface MenuItem {
  readonly name: string
  readonly label: string
  readonly href: string
  readonly icon: IconName
  /** Where a new row is made, if the person may. */
  readonly add?: string
}
export interface MenuGroup {
  readonly title: string
  readonly items: readonly MenuItem[]
}

/** What this person finds in the menu and on the first page. */
export async function menuOf({ site, access, user }: AdminRequest): Promise<MenuGroup[]> {
  const groups: MenuGroup[] = []
  for (const { title, modelAdmins } of site.groups) {
    const items: MenuItem[] = []
    for (const modelAdmin of modelAdmins) {
      const [mayView, mayAdd] = [await access.may(modelAdmin, "view"), await access.may(modelAdmin, "add")]
      if (!mayView && !mayAdd) continue
      const add = site.to(modelAdmin, "add")
      items.push({ name: modelAdmin.name, label: modelAdmin.labelPlural, href: mayView ? site.to(modelAdmin) : add, icon: modelAdmin.icon, ...(mayAdd && { add }) })
    }
    if (items.length > 0) groups.push({ title, items })
  }
  const pages: MenuItem[] = []
  for (const page of site.pages) {
    if (page.may !== undefined && !(await page.may(user))) continue
    pages.push({ name: `-/${page.path}`, label: page.title, href: site.aside(page.path), icon: page.icon ?? "chart" })
  }
  return pages.length > 0 ? [...groups, { title: "Pages", items: pages }] : groups
}
