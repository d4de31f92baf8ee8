/** Tasks of Label Studio's JSON export: the text in `data`, the label among the choices of an annotation. */
import type { DataError } from '../errors.js';
import { isObject, type JsonObject } from './object-row.js';
import { type Columns, columnMissing, type FileRow, type Origin, type Original, rowError } from './row.js';

interface Task extends JsonObject {
	readonly data: JsonObject;
	readonly annotations: readonly unknown[];
}

interface Choice {
	/** Name of the control it was made with. */
	readonly control: string;
	readonly choices: readonly unknown[];
}

export const isTask = (value: JsonObject): value is Task => isObject(value.data) && Array.isArray(value.annotations);

/**
 * The row of a task: the choices of its first annotation that is not cancelled and made one, an annotation marked as the truth
 * before others. Where it was labelled in several ways, those of the control named like the label column. Several choices make a
 * list of labels; none, undefined.
 */
export function taskRow(task: Task, line: number, columns: Columns, origin: Origin, original: Original | undefined): FileRow | DataError | undefined {
	if (!Object.hasOwn(task.data, columns.text)) return columnMissing([columns.text], Object.keys(task.data), origin, line);
	const row = { line, text: task.data[columns.text], original };
	if (columns.label === undefined) return { ...row, label: undefined };

	const annotations = task.annotations.filter((each): each is JsonObject => isObject(each) && each.was_cancelled !== true);
	const inOrder = [...annotations.filter((each) => each.ground_truth === true), ...annotations];
	const made = inOrder.map(choicesOf).find((choices) => choices.length > 0);
	if (made === undefined) return undefined;
	const named = made.filter(({ control }) => control === columns.label);
	const controls = new Set(made.map(({ control }) => control));
	if (named.length === 0 && controls.size > 1) {
		const names = [...controls].map((name) => JSON.stringify(name)).join(', ');
		const hint = 'name the one that holds the label with labelColumn (--label-column)';
		return rowError(
			'COLUMN_MISSING',
			origin,
			line,
			`expected one kind of choice or one named ${JSON.stringify(columns.label)}, found ${names}`,
			hint,
		);
	}
	const labels = (named.length > 0 ? named : made).flatMap(({ choices }) => choices);
	return { ...row, label: labels.length === 1 ? labels[0] : labels };
}

function choicesOf({ result }: JsonObject): Choice[] {
	if (!Array.isArray(result)) return [];
	return result.flatMap((each) => {
		if (!isObject(each) || each.type !== 'choices' || !isObject(each.value) || !Array.isArray(each.value.choices)) return [];
		return [{ control: String(each.from_name), choices: each.value.choices }];
	});
}
