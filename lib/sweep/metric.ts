/** The number runs are compared by. */
import { ConfigError } from '../errors.js';

export interface Metric {
	/** As in the metrics of an evaluation; of one label 'perLabel.LABEL.recall'. */
	readonly name: string;
	readonly greaterIsBetter: boolean;
}

export type Goal = 'maximize' | 'minimize';

/** Numbers that are better small, by their last word; every other is better large. */
const small = ['loss', 'logloss', 'brier', 'briersum', 'ece', 'mse', 'mae', 'rmse'];

/**
 * The metric that was asked for, else accuracy, else the loss. `metrics`: those of an evaluation. Throws ConfigError OPTIONS_INVALID where
 * they have no such number.
 */
export function settledMetric(metrics: object, wanted?: string, goal?: Goal): Metric {
	const name = wanted?.replace(/^eval_/, '') ?? (numberIn(metrics, 'accuracy') === undefined ? 'loss' : 'accuracy');
	if (numberIn(metrics, name) === undefined) {
		const names = Object.entries(metrics).flatMap(([key, value]) => (typeof value === 'number' ? [key] : []));
		throw new ConfigError(
			'OPTIONS_INVALID',
			`Expected the metric to be a number that is measured (${names.join(', ')}), got ${JSON.stringify(wanted)}`,
		);
	}
	const last = name.split('.').at(-1)?.toLowerCase() ?? '';
	return { name, greaterIsBetter: goal === undefined ? !small.includes(last) : goal === 'maximize' };
}

/** The number called `name`; undefined where there is none. NaN counts as one: it is what a loss that blew up looks like. */
export function numberIn(metrics: object, name: string): number | undefined {
	let value: unknown = metrics;
	for (const key of Object.hasOwn(metrics, name) ? [name] : name.split('.'))
		value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
	return typeof value === 'number' ? value : undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Whether `a` is strictly better than `b`; NaN is worse than every number. */
export function isBetter(a: number, b: number, { greaterIsBetter }: Metric): boolean {
	if (Number.isNaN(a)) return false;
	return Number.isNaN(b) || (greaterIsBetter ? a > b : a < b);
}
