/** What a sweep tries: options and the values each may have, and the runs that follow from them. */
import { createHash } from 'node:crypto';

/**
 * Numbers between two, both included. Names are Weights & Biases': 'log_uniform' gives every factor of ten the same chance (Optuna's
 * suggest_float with log), 'uniform' every number, 'int_uniform' every whole number.
 */
export interface Range {
	readonly low: number;
	/** At least `low`. */
	readonly high: number;
	readonly distribution: 'log_uniform' | 'uniform' | 'int_uniform';
}

/** Values of each swept option, by its name: a list, or, where runs are drawn, a range. */
export type Space = Readonly<Record<string, readonly unknown[] | Range>>;

/** One run of a sweep, before it starts. */
export interface Trial {
	/** From 1 up. */
	readonly number: number;
	/** Swept options and their values. */
	readonly options: Readonly<Record<string, unknown>>;
}

export const isRange = (values: Space[string]): values is Range => !Array.isArray(values);

/** How many different runs a space holds; Infinity where a range of it is no whole numbers. */
export function sizeOf(space: Space): number {
	return Object.values(space).reduce((product, values) => product * countOf(values), 1);
}

function countOf(values: Space[string]): number {
	if (!isRange(values)) return new Set(values.map((value) => JSON.stringify(value))).size;
	if (values.low === values.high) return 1;
	return values.distribution === 'int_uniform' ? Math.floor(values.high) - Math.ceil(values.low) + 1 : Number.POSITIVE_INFINITY;
}

/** Every combination of a space of lists; the last option changes first. */
export function gridTrials(space: Space): Trial[] {
	let combinations: Record<string, unknown>[] = [{}];
	for (const [name, values] of Object.entries(space)) {
		const each = isRange(values) ? [] : values;
		combinations = combinations.flatMap((options) => each.map((value) => ({ ...options, [name]: value })));
	}
	return combinations.map((options, index) => ({ number: index + 1, options }));
}

/**
 * `count` different runs, at most sizeOf(space). A function of its arguments alone: the value of an option in a draw hangs on seed, name
 * and number of the draw, so that more runs begin with the same ones, and an option more leaves the values of the others.
 */
export function randomTrials(space: Space, count: number, seed: number): Trial[] {
	const trials: Trial[] = [];
	const seen = new Set<string>();
	for (let draw = 0; trials.length < count; draw++) {
		const options = Object.fromEntries(Object.entries(space).map(([name, values]) => [name, drawn(values, uniform(seed, draw, name))]));
		const key = JSON.stringify(options);
		if (seen.has(key)) continue;
		seen.add(key);
		trials.push({ number: trials.length + 1, options });
	}
	return trials;
}

function drawn(values: Space[string], share: number): unknown {
	if (!isRange(values)) return values[Math.floor(share * values.length)];
	const { low, high, distribution } = values;
	if (distribution === 'int_uniform') return Math.ceil(low) + Math.floor(share * (Math.floor(high) - Math.ceil(low) + 1));
	const value = distribution === 'log_uniform' ? low * (high / low) ** share : low + share * (high - low);
	// Three digits, so that a run can be repeated by typing what the table shows.
	return Math.min(high, Math.max(low, Number(value.toPrecision(3))));
}

/** From 0 to below 1: the first 48 bits of a SHA-256. */
function uniform(seed: number, draw: number, name: string): number {
	const digest = createHash('sha256')
		.update(JSON.stringify([seed, draw, name]))
		.digest();
	return digest.readUIntBE(0, 6) / 2 ** 48;
}
