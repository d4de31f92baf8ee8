/** From logits to probabilities and a label: what a model's settings say of it. */

/** The key `distiltune` of config.json, which other loaders ignore. */
export interface Decision {
	/** What logits are divided by before the softmax, from 0.01 to 100; 1 leaves them as they are. Changes no label. */
	readonly temperature: number;
	/** Only with two labels: the second is given where its probability is at least this, from 0 to 1. null: the larger logit says. */
	readonly threshold: number | null;
}

export const plainDecision: Decision = { temperature: 1, threshold: null };

/** Bounds of a temperature; beyond them probabilities are all but equal, or all but 0 and 1. */
export const temperatureRange = { low: 0.01, high: 100 } as const;

/** Index of the largest value, the first on ties; NaN counts as larger than any number, as in NumPy and PyTorch. */
export function argmax(values: ArrayLike<number>): number {
	let best = 0;
	let largest = values[0] as number;
	for (let index = 1; index < values.length && !Number.isNaN(largest); index++) {
		const value = values[index] as number;
		if (value <= largest) continue;
		best = index;
		largest = value;
	}
	return best;
}

/** In double, the largest logit subtracted first. All are NaN where a logit is NaN or +Infinity. */
export function softmax(logits: ArrayLike<number>, temperature = 1): number[] {
	const largest = logits[argmax(logits)] as number;
	const exponentials = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
	const sum = exponentials.reduce((a, b) => a + b, 0);
	return exponentials.map((value) => value / sum);
}

/** In double. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Class index that a row is given: `largest` is the index of its largest logit, `second` the probability of the second label. */
export function classOf(largest: number, second: number, { threshold }: Decision): number {
	return threshold === null || Number.isNaN(second) ? largest : Number(second >= threshold);
}

/** The same labels at another temperature: a threshold moves with the probabilities. */
export function atTemperature({ temperature: before, threshold }: Decision, temperature: number): Decision {
	if (threshold === null) return { temperature, threshold };
	const margin = Math.log(threshold / (1 - threshold)) * before;
	// A hair lower, so that the row whose probability the threshold was still reaches it in spite of rounding.
	return { temperature, threshold: (1 - 2 ** -40) / (1 + Math.exp(-margin / temperature)) };
}

/** Reads the key `distiltune`; `refuse` makes the error that is thrown where it is not ours. */
export function readDecision(value: unknown, labels: number, refuse: (reason: string) => Error): Decision {
	if (value === undefined) return plainDecision;
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('distiltune is not an object');
	const { temperature = 1, threshold = null, ...others } = value as Readonly<Record<string, unknown>>;
	const [other] = Object.keys(others);
	if (other !== undefined) throw refuse(`distiltune holds ${JSON.stringify(other.slice(0, 60))}, expected only temperature and threshold`);
	const { low, high } = temperatureRange;
	if (!isBetween(temperature, low, high)) throw refuse(`distiltune.temperature is not a number from ${low} to ${high}`);
	if (threshold === null) return { temperature, threshold };
	if (!isBetween(threshold, 0, 1)) throw refuse('distiltune.threshold is not a number from 0 to 1');
	if (labels !== 2) throw refuse(`distiltune.threshold is for two labels, and there ${labels === 1 ? 'is 1' : `are ${labels}`}`);
	return { temperature, threshold };
}

/** What config.json is to hold of it: nothing where nothing was set. */
export function decisionKey({ temperature, threshold }: Decision): { readonly distiltune?: Partial<Decision> } {
	const settings = { ...(temperature === 1 ? {} : { temperature }), ...(threshold === null ? {} : { threshold }) };
	return Object.keys(settings).length === 0 ? {} : { distiltune: settings };
}

function isBetween(value: unknown, low: number, high: number): value is number {
	return typeof value === 'number' && value >= low && value <= high;
}
