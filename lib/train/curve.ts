/** The course of a run in few numbers: its steps in at most 512 points, however many there were. */
import type { LogEntry } from './events.js';

/** A number of steps in a row. */
export interface CurvePoint {
	/** The last of them. */
	readonly step: number;
	/** How many. */
	readonly steps: number;
	/** Mean over them. */
	readonly loss: number;
	/** Sum of the squared distances of their losses from that mean. */
	readonly lossSpread: number;
	/** Mean gradient norm, before clipping. */
	readonly gradNorm: number;
	readonly gradNormMax: number;
	/** The step with the largest norm. */
	readonly gradNormMaxStep: number;
	/** Mean rate. */
	readonly learningRate: number;
}

/** A plain JSON value; a curve made of it goes on as this one would have. */
export interface CurveState {
	/** Steps a point holds once it is full. */
	readonly stepsPerPoint: number;
	readonly points: readonly CurvePoint[];
	/** Loss of the very first step, which later points hide; null before it. */
	readonly firstLoss: number | null;
}

// A power of two, so that full points always pair up. Enough for a picture a screen wide; about 100 kB of run.json.
const mostPoints = 512;
/** Digits kept in run.json: more than a picture or a threshold can tell apart. */
const digitsKept = 6;

export class Curve {
	#stepsPerPoint: number;
	#points: CurvePoint[];
	#firstLoss: number | null;

	constructor(state: CurveState = { stepsPerPoint: 1, points: [], firstLoss: null }) {
		this.#stepsPerPoint = state.stepsPerPoint;
		this.#points = [...state.points];
		this.#firstLoss = state.firstLoss;
	}

	/** A step whose numbers are not finite is left out. */
	add({ step, loss, gradNorm, learningRate }: Omit<LogEntry, 'epoch'>): void {
		if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) return;
		this.#firstLoss ??= loss;
		const point = { step, steps: 1, loss, lossSpread: 0, gradNorm, gradNormMax: gradNorm, gradNormMaxStep: step, learningRate };
		const last = this.#points.at(-1);
		if (last !== undefined && last.steps < this.#stepsPerPoint) {
			this.#points[this.#points.length - 1] = joined(last, point);
			return;
		}
		if (this.#points.length === mostPoints) this.#halve();
		this.#points.push(point);
	}

	get state(): CurveState {
		return { stepsPerPoint: this.#stepsPerPoint, points: [...this.#points], firstLoss: this.#firstLoss };
	}

	/** The state with its numbers rounded: what run.json holds. */
	get record(): CurveState {
		const rounded = (point: CurvePoint) =>
			Object.fromEntries(Object.entries(point).map(([name, value]) => [name, kept(value)])) as unknown as CurvePoint;
		return { ...this.state, points: this.#points.map(rounded) };
	}

	#halve(): void {
		this.#stepsPerPoint *= 2;
		const points = this.#points;
		this.#points = Array.from({ length: points.length / 2 }, (_, pair) => joined(points[2 * pair] as CurvePoint, points[2 * pair + 1] as CurvePoint));
	}
}

const kept = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(digitsKept)));

/** One point for two that follow each other. Spreads are joined as Chan, Golub and LeVeque (1983) do. */
export function joined(a: CurvePoint, b: CurvePoint): CurvePoint {
	const steps = a.steps + b.steps;
	const mean = (of: (point: CurvePoint) => number) => of(a) + (of(b) - of(a)) * (b.steps / steps);
	const largest = b.gradNormMax > a.gradNormMax ? b : a;
	return {
		step: b.step,
		steps,
		loss: mean(({ loss }) => loss),
		lossSpread: a.lossSpread + b.lossSpread + (b.loss - a.loss) ** 2 * ((a.steps * b.steps) / steps),
		gradNorm: mean(({ gradNorm }) => gradNorm),
		gradNormMax: largest.gradNormMax,
		gradNormMaxStep: largest.gradNormMaxStep,
		learningRate: mean(({ learningRate }) => learningRate),
	};
}
