/** JSON: an array of rows, or an object that holds one under "data". Rows are objects, or tasks as Label Studio exports them. */
import { DataError } from '../errors.js';
import { elements } from './json-elements.js';
import { isTask, taskRow } from './label-studio.js';
import { objectOf, objectRow } from './object-row.js';
import type { Keep, RowReader } from './reading.js';
import type { Columns, FileRow, Origin } from './row.js';

/** Rows of the document, one in memory at a time. A task nobody labelled is passed over where labels are read. */
export const readJson: RowReader = async function* (chunks, columns, origin, keep) {
	let rows = 0;
	let unlabelled = 0;
	for await (const { bytes, line } of elements(chunks, origin)) {
		const row = rowOf(bytes, line, columns, origin, keep);
		if (row === undefined) {
			unlabelled += 1;
			continue;
		}
		rows += 1;
		yield row;
	}
	if (rows > 0) return;
	const why = unlabelled === 0 ? 'has no rows' : `has ${unlabelled} tasks and no label on any`;
	throw new DataError('NO_ROWS', `${origin.name} ${why}`, { file: origin.name });
};

function rowOf(bytes: Buffer, line: number, columns: Columns, origin: Origin, keep: Keep | undefined): FileRow | DataError | undefined {
	const value = objectOf(bytes.toString(), line, origin);
	if (value instanceof DataError) return value;
	if (isTask(value)) {
		const withText = (changed: string) => JSON.stringify({ ...value, data: { ...value.data, [columns.text]: changed } });
		return taskRow(value, line, columns, origin, keep && { bytes, withText });
	}
	const withText = (changed: string) => JSON.stringify({ ...value, [columns.text]: changed });
	return objectRow(value, line, columns, origin, keep && { bytes, withText });
}
