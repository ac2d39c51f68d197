import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { dayOf } from './days.ts';
import type { TargetConfig } from './resolve.ts';
import { targetSchema } from './sections/models.ts';

type ParsedTarget = z.output<typeof targetSchema>;
type Fields = Record<string, string | number | boolean>;
/** A target as the config language writes it, but for its share. */
export type Release = {
  target: string;
  account?: string;
  parameters?: Fields;
  timeouts?: Fields;
  capabilities?: Fields;
  region?: string;
  retires?: string;
  successor?: string;
};
type Place = Pick<ParsedTarget, 'target' | 'account'>;

/**
 * The release that a target is, as the config language writes it: all that is said of it but its share, which is its place's among the
 * targets of a model.
 */
export function releaseOf({
  target,
  account,
  parameters,
  timeouts,
  capabilities,
  region,
  retires,
  successor,
}: ParsedTarget): Release {
  const written = timeouts && mapValues(timeouts, (ms) => `${ms}ms`);
  return {
    target,
    ...(account !== undefined && { account }),
    ...(parameters && { parameters: mapValues(parameters, (value) => value) }),
    ...(written && { timeouts: written }),
    ...(capabilities && { capabilities: mapValues(capabilities, (value) => value) }),
    ...(region !== undefined && { region }),
    ...(retires !== undefined && { retires: typeof retires === 'number' ? dayOf(retires) : retires }),
    ...(successor !== undefined && { successor }),
  };
}

function mapValues<T, R extends string | number | boolean>(
  fields: Readonly<Record<string, T | undefined>>,
  map: (value: T) => R,
): Record<string, R> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, map(value)]])),
  );
}

/** Whether a target of a model is the one that a release names; one that names no account means whichever it is at. */
export function isPlaceOf({ target, account }: Place, release: Place): boolean {
  return target === release.target && (release.account === undefined || release.account === account);
}

/**
 * Both sides of a rollout with what they do not say themselves: the model's own entry says it of the stable, and what is neither a
 * trait of the model version nor of the provider goes over to the candidate, so that nothing but what is written moves.
 *
 * @param targets those of the model that moves, before or after the end of the rollout
 */
export function bridgeReleases(
  { stable, candidate }: { stable: ParsedTarget; candidate: ParsedTarget },
  targets: readonly ParsedTarget[],
): { stable: ParsedTarget; candidate: ParsedTarget; isMoved: boolean } {
  const from = targets.find((target) => isPlaceOf(target, stable));
  const to = targets.find((target) => isPlaceOf(target, candidate));
  const bridged = { ...(to ? withoutWeight(to) : goesOver(from, candidate)), ...withoutWeight(candidate) };
  const isOnePlace = to !== undefined && from === to;
  const isMoved = isOnePlace ? isRelease(to, bridged) : from === undefined && to !== undefined;
  return {
    stable: { ...(isMoved ? {} : from), ...withoutWeight(stable) },
    candidate: bridged,
    isMoved,
  };
}

function isRelease(target: ParsedTarget, other: ParsedTarget): boolean {
  return isDeepStrictEqual(releaseOf(target), releaseOf(other));
}

function goesOver(from: ParsedTarget | undefined, { provider }: ParsedTarget): Partial<ParsedTarget> {
  if (!from) return {};
  const { parameters, timeouts, account } = from;
  return {
    ...(parameters && { parameters }),
    ...(timeouts && { timeouts }),
    ...(account !== undefined && from.provider === provider && { account }),
  };
}

function withoutWeight({ weight: _, ...target }: ParsedTarget): ParsedTarget {
  return target;
}

/** A target as it was noted when it was a release in force: the configuration may not say all of it any more. */
export function asNoted(target: TargetConfig, release: JsonObject | undefined): TargetConfig {
  if (!release) return target;
  const { account, parameters, timeouts, capabilities, region, ...noted }: ParsedTarget =
    targetSchema.parse(release);
  const { retires = target.retires, successor = target.successor } = noted;
  return {
    ...target,
    ...(retires !== undefined && { retires }),
    ...(successor !== undefined && { successor }),
    account,
    parameters,
    capabilities,
    region,
    timeouts: { ...target.timeouts, ...timeouts },
  };
}

/** A target of the candidate's model version that the configuration may not have any more, as it was written. */
export function ownPlace(candidate: TargetConfig, written: JsonValue): TargetConfig {
  const { weight } = targetSchema.parse(written);
  return { ...asNoted(candidate, isObject(written) ? written : { target: written }), weight };
}
