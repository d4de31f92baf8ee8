/** The loss of the best answer that does not read the text, which all losses of a run are judged against. */
import type { RunFacts } from './facts.js';
import { sum } from './statistics.js';

export interface Guess {
	/** Loss of the shares of the labels as an answer to every text. */
	readonly loss: number;
	/** Loss of right and certain answers: 0, but for label smoothing. */
	readonly floor: number;
	/** What is left of the guess: 1 at the guess, 0 at the floor. */
	share(loss: number): number;
}

/** Undefined where the loss is no cross entropy of one label a row, or the rows of each label are not known. */
export function guessOf({ problem, rows, config }: RunFacts): Guess | undefined {
	if (problem !== 'single_label_classification' || rows.perLabel === undefined || positive(config.focalGamma)) return undefined;
	const weighted = rows.perLabel.map((count, label) => count * weightOf(config.classWeights, label));
	const whole = sum(weighted);
	if (!(whole > 0)) return undefined;
	const smoothing = positive(config.labelSmoothingFactor) ? (config.labelSmoothingFactor as number) : 0;
	const smoothed = (share: number) => (1 - smoothing) * share + smoothing / weighted.length;
	// A target is mixed with the even one, so the best constant answer is the mean of the mixed targets.
	const loss = entropy(weighted.map((weight) => smoothed(weight / whole)));
	const floor = entropy(weighted.map((_, label) => smoothed(label === 0 ? 1 : 0)));
	if (!(loss > floor)) return undefined;
	return { loss, floor, share: (of) => (of - floor) / (loss - floor) };
}

const positive = (value: unknown): boolean => typeof value === 'number' && value > 0;
const weightOf = (weights: unknown, label: number): number => {
	const weight = Array.isArray(weights) ? (weights[label] as unknown) : 1;
	return typeof weight === 'number' && weight >= 0 ? weight : 1;
};
const entropy = (shares: readonly number[]): number => -sum(shares.map((share) => (share > 0 ? share * Math.log(share) : 0)));
