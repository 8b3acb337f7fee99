import { createInterface } from "node:readline/promises"

/** True when there is a person to ask. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true
}

export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return (await terminal.question(question)).trim()
  } finally {
    terminal.close()
  }
}

/** Gives the index of the answer chosen. */
export async function choose(question: string, answers: readonly string[]): Promise<number> {
  console.log(question)
  for (const [i, answer] of answers.entries()) console.log(`  ${i + 1}) ${answer}`)
  for (;;) {
    const number = Number(await ask(`1-${answers.length}: `))
    if (Number.isInteger(number) && number >= 1 && number <= answers.length) return number - 1
  }
}
