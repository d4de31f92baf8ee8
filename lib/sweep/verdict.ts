/** Which run is best, and whether that means anything. */
import { holm, mcNemar, wilsonInterval } from '../report/confidence.js';
import { isBetter, type Metric, numberIn } from './metric.js';
import { type EndedRun, flagsOf, type SweepRecord } from './record.js';

/** A finished run in its place. */
export interface Standing {
	readonly run: EndedRun;
	/** Of the metric, measured with the model that was saved. */
	readonly value: number;
	/** 95% interval of the metric, where it is the accuracy of rows with one label. */
	readonly interval: readonly [low: number, high: number] | null;
	/** McNemar's test against the best run, after Holm; null for the best itself, and where rows have no one label. */
	readonly p: number | null;
}

export interface Verdict {
	readonly metric: Metric;
	/** Best first; of equal runs the one with the smaller loss, then the earlier. */
	readonly ranking: readonly Standing[];
	/** Rows of the evaluation set. */
	readonly rows: number;
	/** What has to be said of the ranking, a sentence or two each; `uncertain` where the differences may be chance. */
	readonly notes: readonly { readonly uncertain: boolean; readonly text: string }[];
}

/** Above this the best run cannot be told from another. */
const significance = 0.05;

/** undefined while no run has finished. */
export function verdictOf({ metric, runs, data }: SweepRecord): Verdict | undefined {
	if (metric === null) return undefined;
	const rows = data.eval.rows;
	const finished = runs.filter(({ status }) => status === 'finished').sort((a, b) => compare(a, b, metric));
	const best = finished[0];
	if (best === undefined) return undefined;
	const others = finished.slice(1);
	const probabilities = holm(others.flatMap((run) => pairedProbability(best, run, rows) ?? []));
	const tested = probabilities.length === others.length;
	const ranking = finished.map((run, place): Standing => {
		const hits = metric.name === 'accuracy' && run.right !== null ? flagsOf(run.right, rows).filter(Boolean).length : undefined;
		return {
			run,
			value: resultOf(run, metric),
			interval: hits === undefined ? null : wilsonInterval(hits, rows),
			p: place === 0 || !tested ? null : (probabilities[place - 1] as number),
		};
	});
	return { metric, ranking, rows, notes: notesOf(ranking, metric, rows) };
}

/** Of a finished run. */
function resultOf(run: EndedRun, { name }: Metric): number {
	return numberIn(run.metrics ?? {}, name) ?? Number.NaN;
}

function compare(a: EndedRun, b: EndedRun, metric: Metric): number {
	const loss: Metric = { name: 'loss', greaterIsBetter: false };
	for (const each of [metric, loss]) {
		if (isBetter(resultOf(a, each), resultOf(b, each), each)) return -1;
		if (isBetter(resultOf(b, each), resultOf(a, each), each)) return 1;
	}
	return a.number - b.number;
}

/**
 * The runs are paired: they are measured on the same rows, most of which both get right or both wrong. Only the rest tells them apart, which is
 * why two intervals that overlap may still belong to models that differ clearly; McNemar's test looks at the rest alone.
 */
function pairedProbability(best: EndedRun, other: EndedRun, rows: number): number | undefined {
	if (best.right === null || other.right === null) return undefined;
	const [first, second] = [flagsOf(best.right, rows), flagsOf(other.right, rows)];
	return mcNemar(first.filter((hit, row) => hit && !second[row]).length, second.filter((hit, row) => hit && !first[row]).length);
}

function notesOf(ranking: readonly Standing[], metric: Metric, rows: number): Verdict['notes'] {
	const [best, ...others] = ranking as [Standing, ...Standing[]];
	const name = `run ${best.run.number}`;
	if (others.length === 0) return [{ uncertain: true, text: `Only ${name} finished: there is nothing to compare it with.` }];
	const flattered = {
		uncertain: false,
		text: `The value of ${name} is flattered by having been chosen: measure it once on rows that no run was chosen by.`,
	};
	if (others.some(({ p }) => p === null)) {
		const text = `There is no paired test of ${metric.name} here: take small differences on ${rows} rows for chance until a run with another seed repeats them.`;
		return [{ uncertain: true, text }, flattered];
	}
	const alike = others.filter(({ p }) => (p as number) >= significance);
	const measured =
		best.interval === null
			? ''
			: ` Its accuracy of ${digits(best.value)} has a 95% interval of ${digits(best.interval[0])} to ${digits(best.interval[1])}.`;
	const subject = metric.name === 'accuracy' ? '' : ` The test asks which rows get their label; it knows nothing of ${metric.name}.`;
	if (alike.length === 0) {
		const text = `${capital(name)} gets more rows right than each of the others, by more than chance explains (McNemar's test on ${rows} rows, p < ${significance} after Holm).`;
		return [{ uncertain: false, text: text + measured + subject }, flattered];
	}
	const which = alike.length === others.length ? 'any other run' : `run${alike.length > 1 ? 's' : ''} ${inWords(alike.map(({ run }) => run.number))}`;
	const text =
		`The differences are inside the uncertainty: on ${rows} rows ${name} cannot be told from ${which} (McNemar's test, p >= ${significance} after Holm).` +
		`${measured}${subject} Choose by cost, or measure on more rows.`;
	return [{ uncertain: true, text }, flattered];
}

export const digits = (value: number): string => (Number.isFinite(value) ? value.toFixed(4) : '-');
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function inWords(numbers: readonly number[]): string {
	const sorted = [...numbers].sort((a, b) => a - b);
	return sorted.length < 2 ? sorted.join('') : `${sorted.slice(0, -1).join(', ')} and ${sorted.at(-1)}`;
}
