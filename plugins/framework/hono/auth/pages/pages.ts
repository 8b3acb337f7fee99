import type { FC } from "hono/jsx"
import type { AccountProps, RecoveryCodesProps, SecondFactorProps } from "./account.tsx"
import { AccountPage, RecoveryCodesPage, SecondFactorPage } from "./account.tsx"
import type { CodeProps, ConfirmProps, ForgotProps, LoginProps, LogoutProps, NoticeProps, ResetProps, SignupProps } from "./signed-out.tsx"
import { CodePage, ConfirmPage, ForgotPage, LoginPage, LogoutPage, NoticePage, ResetPage, SignupPage } from "./signed-out.tsx"

/** Every page of auth; an app may put its own in place of any. */
export interface Pages {
  readonly login: FC<LoginProps>
  readonly code: FC<CodeProps>
  readonly signup: FC<SignupProps>
  readonly confirm: FC<ConfirmProps>
  readonly forgot: FC<ForgotProps>
  readonly reset: FC<ResetProps>
  readonly logout: FC<LogoutProps>
  readonly notice: FC<NoticeProps>
  readonly account: FC<AccountProps>
  readonly secondFactor: FC<SecondFactorProps>
  readonly recoveryCodes: FC<RecoveryCodesProps>
}

export const builtInPages: Pages = {
  login: LoginPage,
  code: CodePage,
  signup: SignupPage,
  confirm: ConfirmPage,
  forgot: ForgotPage,
  reset: ResetPage,
  logout: LogoutPage,
  notice: NoticePage,
  account: AccountPage,
  secondFactor: SecondFactorPage,
  recoveryCodes: RecoveryCodesPage,
}
