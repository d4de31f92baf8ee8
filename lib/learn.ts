/** The last linear layer fitted anew to rows, on features of the frozen rest. */
import { portions } from './data/portions.js';
import type { RowSource } from './data/row.js';
import { ConfigError, DataError, ModelError, TrainingError } from './errors.js';
import type { ProblemType } from './model/config.js';
import { type Decision, plainDecision } from './model/decision.js';
import { batches, type Predictor, slice } from './model/predict.js';
import { faultOf } from './option-check.js';
import { metricsOf } from './report/metrics.js';
import { ScoredRows } from './report/scored-rows.js';
import type { BaseAddon, Head, NativeHeadFit, NativePredictor } from './runtime/native.js';
import type { Metrics } from './train/events.js';

export interface HeadOptions {
	/**
	 * How strongly weights are pulled to 0, above 0: what is made least is the sum over the rows of -log softmax(W x + b)[label], plus
	 * l2 / 2 times the sum of the squares of W. scikit-learn's LogisticRegression with C = 1 / l2; of two labels with C = 2 / l2. @default 1
	 */
	readonly l2?: number;
	/** Of L-BFGS, from 1; a fit that has not converged then is not taken. @default 1000 */
	readonly maxIterations?: number;
}

/** What learn() did. */
export interface Learned {
	readonly rows: number;
	/** Rows whose text was cut to maxLength. */
	readonly truncated: number;
	/** Of L-BFGS. */
	readonly iterations: number;
	/** The old head, as it was calibrated and tuned, and the new one, on the very rows that were learned from: how well they fit, not how well other texts will do. */
	readonly before: Pick<Metrics, 'loss' | 'accuracy'>;
	readonly after: Pick<Metrics, 'loss' | 'accuracy'>;
	readonly seconds: number;
}

export interface Learner extends Pick<Predictor<ProblemType>, 'encode' | 'stopIfAborted'> {
	readonly base: Pick<BaseAddon, 'openHeadFit'>;
	readonly predictor: Pick<NativePredictor, 'features'>;
	/** Of the model, by class index. */
	readonly labels: readonly string[];
	readonly old: { readonly head: Head; readonly decision: Decision };
	readonly threads: number;
}

/** What a fit needs of the rows. */
interface Material {
	/** float32[rows * dim] */
	readonly features: Float32Array;
	readonly classes: Int32Array;
	readonly truncated: number;
}

// A portion is over in milliseconds for hundreds of rows: other calls get their turn on the native thread, and a stop is soon heard.
const iterationsAtOnce = 10;
// As many as a message stays readable with; details hold more.
const labelsShown = 10;
const linesShown = 5;
const labelsKept = 1000;
const linesKept = 100;

/** The options with their defaults; all that are at fault, and those of `others`, in one ConfigError OPTIONS_INVALID. */
export function headOptions({ l2 = 1, maxIterations = 1000 }: HeadOptions, others: readonly (string | undefined)[]): Required<HeadOptions> {
	const faults = [
		faultOf({ kind: 'number', min: 0, open: 'min' }, l2, 'l2'),
		faultOf({ kind: 'integer', min: 1 }, maxIterations, 'maxIterations'),
		...others,
	].filter((fault) => fault !== undefined);
	if (faults.length > 0) throw new ConfigError('OPTIONS_INVALID', faults.join('; '));
	return { l2, maxIterations };
}

/**
 * The head that fits `rows` best, and what it changes. Throws, with nothing changed: DataError LABEL_UNKNOWN (every such row),
 * LABEL_WITHOUT_ROWS, NO_ROWS or that of a row; ModelError LOGITS_NOT_FINITE; TrainingError LEARN_NOT_CONVERGED, LEARN_NO_GAIN.
 */
export async function learn(rows: RowSource, learner: Learner, options: Required<HeadOptions>): Promise<{ head: Head; learned: Learned }> {
	const started = performance.now();
	const { labels, old, threads, stopIfAborted } = learner;
	const { features, classes, truncated } = await read(rows, learner);
	requireEveryLabel(classes, labels, rows.source);
	const fit = await learner.base.openHeadFit({ features, classes, labels: labels.length, l2: options.l2, threads });
	try {
		const iterations = await converge(fit, options.maxIterations, stopIfAborted);
		const measured = async (head: Head, decision: Decision) => {
			const scored = new ScoredRows(labels.length);
			scored.add(await fit.logits(head), classes);
			const { loss, accuracy } = await metricsOf(scored, labels, { decision });
			return { loss, accuracy };
		};
		const head = await fit.head();
		const [before, after] = [await measured(old.head, old.decision), await measured(head, plainDecision)];
		stopIfAborted();
		// An old head whose loss is no number is worse than any.
		if (after.loss > before.loss) throw noGain(before.loss, after.loss);
		const seconds = (performance.now() - started) / 1000;
		return { head, learned: { rows: classes.length, truncated, iterations, before, after, seconds } };
	} finally {
		await fit.close();
	}
}

async function read(rows: RowSource, { encode, predictor, labels, stopIfAborted }: Learner): Promise<Material> {
	const classOf = new Map(labels.map((label, index) => [label, index]));
	const unknown = new UnknownLabels();
	const parts: Float32Array[] = [];
	const classes: number[] = [];
	let truncated = 0;
	for await (const portion of portions(rows)) {
		stopIfAborted();
		for (const { label, line } of portion) {
			const found = classOf.get(label);
			if (found === undefined) unknown.add(label, line);
			else classes.push(found);
		}
		if (unknown.rows > 0) continue;
		const encoding = await encode(portion.map(({ text }) => text));
		truncated += encoding.truncated.reduce((sum, cut) => sum + cut, 0);
		for (const [first, end] of batches(encoding)) {
			stopIfAborted();
			const part = await predictor.features(slice(encoding, first, end));
			if (!part.every(Number.isFinite))
				throw new ModelError('LOGITS_NOT_FINITE', 'Expected features to be finite numbers, but the model gives NaN or infinity', {
					hint: 'train it again',
				});
			parts.push(part);
		}
	}
	if (unknown.rows > 0) throw unknown.error(rows.source, labels);
	return { features: joined(parts), classes: Int32Array.from(classes), truncated };
}

async function converge(fit: NativeHeadFit, maxIterations: number, stopIfAborted: () => void): Promise<number> {
	for (let iterations = 0; ; ) {
		stopIfAborted();
		const wanted = Math.min(iterationsAtOnce, maxIterations - iterations);
		const portion = await fit.advance(wanted);
		iterations += portion.iterations;
		if (portion.converged) return iterations;
		if (portion.iterations < wanted || iterations === maxIterations) throw notConverged(iterations);
	}
}

function joined(parts: readonly Float32Array[]): Float32Array {
	const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
	let place = 0;
	for (const part of parts) {
		all.set(part, place);
		place += part.length;
	}
	return all;
}

/** The labels a model does not know, with the lines they stand on. */
class UnknownLabels {
	readonly #lines = new Map<string, { rows: number; readonly lines: number[] }>();
	rows = 0;

	add(label: string, line: number): void {
		this.rows += 1;
		const seen = this.#lines.get(label) ?? { rows: 0, lines: [] };
		seen.rows += 1;
		if (seen.lines.length < linesKept) seen.lines.push(line);
		if (this.#lines.size < labelsKept) this.#lines.set(label, seen);
	}

	error(source: string, labels: readonly string[]): DataError {
		const unknown = [...this.#lines].map(([label, seen]) => ({ label, ...seen }));
		const shown = unknown.slice(0, labelsShown).map(({ label, rows, lines }) => {
			const more = rows > linesShown ? ` and ${rows - linesShown} more` : '';
			return `${JSON.stringify(label.slice(0, 100))} (${rows === 1 ? 'row' : 'rows'} ${lines.slice(0, linesShown).join(', ')}${more})`;
		});
		if (unknown.length > labelsShown) shown.push(`${unknown.length - labelsShown} other labels`);
		return new DataError('LABEL_UNKNOWN', `Expected every label of ${source} to be one of ${labels.join(', ')}, got ${shown.join(', ')}`, {
			file: source,
			line: unknown[0]?.lines[0],
			hint: 'correct these rows or leave them out; for new labels train a model that has them',
			details: { rows: this.rows, unknown },
		});
	}
}

/** The bias is not penalised: that of a label without rows has no least value, and the label would never be predicted again. */
function requireEveryLabel(classes: Int32Array, labels: readonly string[], source: string): void {
	const seen = new Set(classes);
	const missing = labels.filter((_, index) => !seen.has(index));
	if (missing.length === 0) return;
	throw new DataError(
		'LABEL_WITHOUT_ROWS',
		`Expected rows of every label in ${source}, since the new head knows only these rows, but there is none of ${missing.join(', ')}`,
		{ file: source, hint: 'add at least one row of each label, from the training data for example', details: { missing } },
	);
}

function notConverged(iterations: number): TrainingError {
	return new TrainingError(
		'LEARN_NOT_CONVERGED',
		`Expected the new head to converge, but it had not after ${iterations} iterations; the old one stays`,
		{
			hint: 'raise l2, or maxIterations',
			details: { iterations },
		},
	);
}

function noGain(before: number, after: number): TrainingError {
	return new TrainingError(
		'LEARN_NO_GAIN',
		`Expected the new head to have at most the old one's loss of ${before.toPrecision(4)} on these rows, got ${after.toPrecision(4)}; the old one stays`,
		{ hint: 'the old head already fits these rows; add rows it gets wrong, or lower l2', details: { lossBefore: before, lossAfter: after } },
	);
}
