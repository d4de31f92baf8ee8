/** Metrics of the user's own beside ours. */
import type { Metrics } from '../train/events.js';
import type { Targets } from '../train/targets.js';

/** A measured set of rows. */
export interface EvaluationRows {
	/** Of each row, one number for each label. */
	readonly logits: readonly Float32Array[];
	/** What the rows are: the index of a label each; of several labels a row, 0 or 1 for each label, row after row; of a regression the values. */
	readonly labels: Targets;
	/** Names of the labels. */
	readonly names: readonly string[];
}

/** Numbers by name, which go into the metrics beside ours. */
export type ComputeMetrics = (rows: EvaluationRows) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;

/** Names that Transformers' records give to other things. */
const taken = ['runtime', 'samplesPerSecond', 'stepsPerSecond'];
const plain = (name: string) => name.replaceAll('_', '').toLowerCase();

/**
 * `metrics` with those of `compute`. What cannot be had is told to `warn` and left out: all where it throws or gives no object
 * (COMPUTE_METRICS_FAILED), one that is no number (the same), one whose name is ours (METRIC_NAME_TAKEN; letter case and _ do not tell names
 * apart).
 */
export async function withCustomMetrics<Ours extends Metrics>(
	metrics: Ours,
	compute: ComputeMetrics,
	rows: EvaluationRows,
	warn: (code: string, message: string) => void,
): Promise<Ours> {
	let given: unknown;
	try {
		given = await compute(rows);
	} catch (error) {
		warn('COMPUTE_METRICS_FAILED', `computeMetrics failed: ${error instanceof Error ? error.message : String(error)}`);
		return metrics;
	}
	if (typeof given !== 'object' || given === null) {
		warn('COMPUTE_METRICS_FAILED', `Expected computeMetrics to give numbers by name, got ${String(given)}`);
		return metrics;
	}
	const ours = new Set([...Object.keys(metrics), ...taken].map(plain));
	const added = Object.entries(given).filter(([name, value]) => {
		if (ours.has(plain(name))) warn('METRIC_NAME_TAKEN', `computeMetrics gives a metric ${name}, a name of distiltune's own: give it another name`);
		else if (typeof value !== 'number')
			warn('COMPUTE_METRICS_FAILED', `Expected the metric ${name} of computeMetrics to be a number, got ${String(value)}`);
		else return true;
		return false;
	});
	return { ...metrics, ...Object.fromEntries(added) };
}
