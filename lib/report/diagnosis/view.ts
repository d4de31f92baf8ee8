/** A run as the rules of a diagnosis see it: its facts, and what several rules compute from them. */
import type { RunFinding } from '../../train/finding.js';
import { trainCommand } from '../command.js';
import type { EvaluationFacts, RunFacts } from './facts.js';
import { type Guess, guessOf } from './guess.js';
import { between, type Stretch, stretch, sum, windows } from './statistics.js';

export interface RunView extends RunFacts {
	readonly guess: Guess | undefined;
	/** Taken so far. */
	readonly steps: number;
	readonly ended: boolean;
	/** Half of the run is over: with any schedule but a long warm-up most of what it can move the weights by. */
	readonly settled: boolean;
	/** Sum of the learning rates: no weight has moved further. */
	readonly path: number;
	/** Root of the sum of their squares: what noise alone moves a weight by. */
	readonly drift: number;
	readonly learningRate: number;
	/** The first and the last quarter of the steps. */
	readonly first: Stretch | undefined;
	readonly last: Stretch | undefined;
	readonly windows: readonly Stretch[];
	/** Movement as a share of the size at the start. */
	readonly headMoved: number | undefined;
	readonly encoderMoved: number | undefined;
	/** Whether gradients reach the whole encoder. */
	readonly encoderTrains: boolean;
	readonly lastEvaluation: EvaluationFacts | undefined;
	/** Whether training and validation loss are the same function of a row. */
	readonly lossesCompare: boolean;
	/** What is left of the guess in the last quarter; undefined where there is none. */
	readonly left: number | undefined;
	/** A command that trains again with `changes`, into a folder beside. */
	again(changes: Readonly<Record<string, unknown>>): string;
}

/** A rule finds one thing or nothing. */
export type Rule = (run: RunView) => RunFinding | undefined;

/** Steps of a run before anything is said of where its loss goes. */
export const stepsThatCount = 32;
const smallestWindow = 16;

/** `defaults`: of the options, so that commands need not spell them. */
export function viewOf(facts: RunFacts, defaults: Readonly<Record<string, unknown>>): RunView {
	const { points, config, moved, totalSteps } = facts;
	const guess = guessOf(facts);
	const steps = points.at(-1)?.step ?? 0;
	const quarter = (from: number, to: number) => {
		const some = between(points, from, to);
		return some.length === 0 ? undefined : stretch(some);
	};
	const last = quarter(Math.floor((3 * steps) / 4), steps);
	const ended = facts.status !== 'running';
	const ratio = ({ start, change }: { start: number; change: number }) => (start > 0 ? change / start : undefined);
	const outputDir = typeof config.outputDir === 'string' ? `${config.outputDir}-next` : undefined;
	return {
		...facts,
		guess,
		steps,
		ended,
		settled: ended || steps >= totalSteps / 2,
		path: sum(points.map((point) => point.steps * point.learningRate)),
		drift: Math.sqrt(sum(points.map((point) => point.steps * point.learningRate ** 2))),
		learningRate: typeof config.learningRate === 'number' ? config.learningRate : 0,
		first: quarter(0, Math.ceil(steps / 4)),
		last,
		windows: windows(points, Math.max(smallestWindow, Math.ceil(totalSteps / 50))),
		headMoved: moved && ratio(moved.head),
		encoderMoved: moved && ratio(moved.encoder),
		encoderTrains: [undefined, 'none', 'embeddings', 0].includes(config.freeze as undefined),
		lastEvaluation: facts.evaluations.at(-1),
		lossesCompare: !(typeof config.focalGamma === 'number' && config.focalGamma > 0),
		left: guess && last && guess.share(last.loss),
		again: (changes) => trainCommand({ ...config, outputDir }, changes, defaults),
	};
}

/** 0.01234 -> '0.0123', 1234.5 -> '1,235', 1e-8 -> '1e-8': three digits that say something. */
export function figure(value: number): string {
	const size = Math.abs(value);
	if (size >= 1e6 || (size > 0 && size < 1e-3)) return String(Number(value.toPrecision(3)));
	if (size >= 1000) return Math.round(value).toLocaleString('en-US');
	return String(Number(value.toPrecision(3)));
}

export const percent = (share: number): string => `${figure(100 * share)}%`;
