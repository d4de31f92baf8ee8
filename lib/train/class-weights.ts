/** Weights of the classes in the training loss. */
import { ConfigError } from '../errors.js';
import type { Targets } from './targets.js';

/** One number a label, in their order or by name (a label that is not named has 1), or those that make up for rare labels. */
export type ClassWeights = 'balanced' | readonly number[] | Readonly<Record<string, number>>;

/**
 * One weight a label; `classes`: that of each row. 'balanced' is scikit-learn's compute_class_weight: rows / (labels * rows of the label),
 * and 0 for a label without rows. Throws ConfigError OPTIONS_INVALID, in the name of `option`, where weights and labels do not fit.
 */
export function settledWeights(wanted: ClassWeights, labels: readonly string[], classes: Targets, option: string): number[] {
	if (wanted === 'balanced') {
		const counts = new Array<number>(labels.length).fill(0);
		for (const index of classes) counts[index] = (counts[index] ?? 0) + 1;
		return counts.map((count) => (count === 0 ? 0 : classes.length / (labels.length * count)));
	}
	if (isList(wanted)) {
		if (wanted.length === labels.length) return [...wanted];
		throw refused(option, `one weight for each of the ${labels.length} labels, got ${wanted.length}`);
	}
	const stranger = Object.keys(wanted).find((label) => !labels.includes(label));
	if (stranger !== undefined) throw refused(option, `weights of ${labels.join(', ')}, got one of ${JSON.stringify(stranger)}`);
	return labels.map((label) => (Object.hasOwn(wanted, label) ? (wanted[label] as number) : 1));
}

const isList = (wanted: Exclude<ClassWeights, string>): wanted is readonly number[] => Array.isArray(wanted);

const refused = (option: string, expected: string) => new ConfigError('OPTIONS_INVALID', `Expected \`${option}\` to be ${expected}`);
