/** Whose something is: a tenant, told apart from others that have or had its name. */
export interface Owner {
  tenant: string;
  /** `Snapshot.lifeOf` of the configuration by which its maker was let in. */
  life: number;
}

export function isOf(thing: Owner, { tenant, life }: Owner): boolean {
  return thing.tenant === tenant && thing.life === life;
}
