/** How far the weights of a run have moved from where they started, told by a sample of them. */
import type { NativeSession } from '../runtime/native.js';

/** Root mean squares over the sample. */
export interface Moved {
	/** Of the weights at the start. */
	readonly start: number;
	/** Of their distance from there. */
	readonly change: number;
}

export interface Movement {
	/** Steps taken when it was measured. */
	readonly step: number;
	/** Of `classifier` and `pre_classifier`. */
	readonly head: Moved;
	/** Of the first and the last layer. */
	readonly encoder: Moved;
}

/** A plain JSON value: sampled values by parameter, as they were at the start. */
export type MovementState = Readonly<Record<string, readonly number[]>>;

// Tells a root mean square to within 1 / sqrt(2 * 512) = 3%, of a matrix of any size.
const valuesSampled = 512;

const headNames = ['classifier.weight', 'pre_classifier.weight'];
const encoderNames = (layers: number) =>
	[...new Set([0, layers - 1])].flatMap((layer) =>
		['attention.v_lin', 'ffn.lin2'].map((matrix) => `distilbert.transformer.layer.${layer}.${matrix}.weight`),
	);

type Weights = Pick<NativeSession, 'parameter'>;

export class MovementMeter {
	readonly state: MovementState;

	/** From the state of a meter before; `open` makes the first. */
	constructor(state: MovementState) {
		this.state = state;
	}

	/** Samples the weights as they are now: the start. `layers`: those of the encoder. */
	static async open(session: Weights, layers: number): Promise<MovementMeter> {
		return new MovementMeter(await samples(session, [...headNames, ...encoderNames(layers)]));
	}

	async measure(session: Weights, step: number): Promise<Movement> {
		const now = await samples(session, Object.keys(this.state));
		const moved = (names: readonly string[]): Moved => {
			const start = names.flatMap((name) => this.state[name] ?? []);
			const end = names.flatMap((name) => now[name] ?? []);
			return { start: rootMeanSquare(start), change: rootMeanSquare(start.map((value, index) => (end[index] as number) - value)) };
		};
		const names = Object.keys(this.state);
		return { step, head: moved(headNames), encoder: moved(names.filter((name) => !headNames.includes(name))) };
	}
}

/** Values at even distances, the same ones every time. */
async function samples(session: Weights, names: readonly string[]): Promise<Record<string, number[]>> {
	const sampled: Record<string, number[]> = {};
	for (const name of names) {
		const values = await session.parameter(name);
		const count = Math.min(valuesSampled, values.length);
		sampled[name] = Array.from({ length: count }, (_, index) => values[Math.floor((index * values.length) / count)] as number);
	}
	return sampled;
}

const rootMeanSquare = (values: readonly number[]): number =>
	Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
