/** As much of Vue as the typings extend. */
declare module "vue" {
  export interface GlobalComponents {}
}
