/** A classifier measured on rows whose labels are known, and what can be fitted to them without another model: temperature and threshold. */
import { requireTwoLabels } from '../data/labels.js';
import { portions } from '../data/portions.js';
import type { Dataset } from '../dataset.js';
import { ModelError } from '../errors.js';
import type { ProblemType } from '../model/config.js';
import { atTemperature, type Decision } from '../model/decision.js';
import { bestThreshold, fitTemperature, type Temperature, type ThresholdMetric, thresholdValue } from '../report/calibration.js';
import { type Fold, foldFor } from '../report/fold.js';
import { probabilityMetrics } from '../report/probabilistic.js';
import { Probabilities, ScoredRows } from '../report/scored-rows.js';
import type { ClassMetrics, Measured, MetricsOf } from '../train/events.js';
import { targetReader } from '../train/targets.js';
import type { ScoredText } from './line.js';

/** A classifier measured on rows. */
export interface Evaluated<Problem extends ProblemType = 'single_label_classification'> extends Measured {
	readonly metrics: MetricsOf[Problem];
	/** Rows whose text was cut to maxLength. */
	readonly truncated: number;
}

/** What calibrate() did. */
export interface Calibration {
	readonly temperature: number;
	/** 'interior', or the bound it ended at: the rows then are too few or too easy to tell. 'flat': they tell nothing, nothing was changed. */
	readonly where: Temperature['where'];
	readonly rows: number;
	readonly before: CalibrationMetrics;
	readonly after: CalibrationMetrics;
}

export type CalibrationMetrics = Pick<ClassMetrics, 'loss' | 'brier' | 'ece'>;

/** What tuneThreshold() did. */
export interface TunedThreshold {
	/** The second label is given where its score is at least this. */
	readonly threshold: number;
	readonly metric: ThresholdMetric;
	/** The metric before and now. */
	readonly before: number;
	readonly after: number;
	readonly rows: number;
}

/** The classifier as it was when the call was made. */
export interface Subject<Problem extends ProblemType> {
	readonly problemType: Problem;
	readonly labels: readonly string[];
	readonly decision: Decision;
	score(texts: readonly string[]): Promise<readonly ScoredText[]>;
}

export async function evaluate<Problem extends ProblemType>(dataset: Dataset, subject: Subject<Problem>): Promise<Evaluated<Problem>> {
	const started = performance.now();
	const fold = foldFor(subject);
	const truncated = await scoreRows(dataset, subject, fold);
	return { metrics: await fold.metrics(), rows: fold.rows, seconds: (performance.now() - started) / 1000, truncated };
}

/** The temperature that makes the labels of the rows most likely; no label changes. */
export async function calibrate(dataset: Dataset, subject: Subject<ProblemType>): Promise<{ decision: Decision; calibration: Calibration }> {
	const rows = await finiteRows(dataset, subject);
	const measured = ({ temperature }: Decision): CalibrationMetrics => {
		const { loss, brier, ece } = probabilityMetrics(new Probabilities(rows, temperature));
		return { loss, brier, ece };
	};
	const { value, where } = fitTemperature(rows);
	const decision = value === null ? subject.decision : atTemperature(subject.decision, value);
	const [before, after] = [measured(subject.decision), measured(decision)];
	return { decision, calibration: { temperature: decision.temperature, where, rows: rows.length, before, after } };
}

/** The score from which on the second of two labels is best given. */
export async function tuneThreshold(
	dataset: Dataset,
	subject: Subject<ProblemType>,
	metric: ThresholdMetric,
): Promise<{ decision: Decision; tuned: TunedThreshold }> {
	const rows = await finiteRows(dataset, subject);
	requireTwoLabels(
		subject.labels.filter((_, label) => rows.has(label)),
		dataset.source,
	);
	const probabilities = new Probabilities(rows, subject.decision.temperature);
	const before = thresholdValue(probabilities, metric, subject.decision);
	const { threshold, value } = bestThreshold(probabilities, metric);
	return { decision: { ...subject.decision, threshold }, tuned: { threshold, metric, before, after: value, rows: rows.length } };
}

/** Folds the logits of rows with known labels `into` something; gives how many of their texts were cut. */
async function scoreRows(dataset: Dataset, subject: Subject<ProblemType>, into: Pick<Fold<unknown>, 'add'>): Promise<number> {
	let truncated = 0;
	for await (const portion of portions(dataset)) {
		const reader = targetReader(subject.problemType, dataset, subject.labels);
		for (const row of portion) reader.add(row);
		const { targets } = reader.settle();
		const width = targets.length / portion.length;
		const scored = await subject.score(portion.map(({ text }) => text));
		for (const [row, { logits, truncated: cut }] of scored.entries()) {
			into.add(logits, targets.subarray(row * width, (row + 1) * width));
			truncated += Number(cut);
		}
	}
	return truncated;
}

/** Rows to fit something to: their logits must be finite. */
async function finiteRows(dataset: Dataset, subject: Subject<ProblemType>): Promise<ScoredRows> {
	const rows = new ScoredRows(subject.labels.length);
	await scoreRows(dataset, subject, rows);
	if (rows.areFinite) return rows;
	throw new ModelError('LOGITS_NOT_FINITE', 'Expected logits to be finite numbers, but the model gives NaN or infinity', { hint: 'train it again' });
}
