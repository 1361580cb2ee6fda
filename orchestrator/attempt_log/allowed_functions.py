"""Functions that a reader's SELECT may call: what is not named here is refused.

An allow-list, because DuckDB's catalogue grows with its versions. Left out on purpose, beside
everything that reads settings, files or other SQL: functions whose result is as long as a number
says (`repeat`, `lpad`, `format`, `list_resize`, …), as DuckDB's memory bound does not hold them.
"""

from typing import Final

__all__ = ["FUNCTIONS", "TABLE_FUNCTIONS"]

_OPERATORS: Final = """
    != !__postfix !~~ !~~* % & && * ** + - ->> / // < <-> << <= <=> <@ = > >= >> @ @> ^ ^@ |
    || ~ ~~ ~~* ~~~
"""
_AGGREGATES: Final = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_min arg_min_null argmax argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr
    count count_if count_star countif covar_pop covar_samp entropy favg first fsum geomean
    geometric_mean group_concat histogram kahan_sum kurtosis kurtosis_pop last list listagg mad max
    max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum sumkahan var_pop
    var_samp variance wavg weighted_avg
"""
_WINDOWS: Final = """
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank
    rank_dense row_number
"""
_TIMES: Final = """
    age century current_date current_localtime current_localtimestamp date_add date_diff date_part
    date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek
    dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era get_current_time
    get_current_timestamp hour isodow isoyear julian last_day make_date make_time make_timestamp
    make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond minute
    month monthname nanosecond now quarter second strftime strptime time_bucket timezone
    timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds
    to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks
    to_years today transaction_timestamp try_strptime week weekday weekofyear year yearweek
"""
_TEXTS: Final = """
    array_to_string ascii bit_length char_length character_length chr concat concat_ws contains
    damerau_levenshtein editdist3 ends_with formatreadabledecimalsize formatreadablesize hamming
    hash ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left length
    levenshtein like_escape lower ltrim md5 mismatches not_ilike_escape not_like_escape octet_length
    ord overlay position prefix regexp_escape regexp_extract regexp_extract_all regexp_full_match
    regexp_matches regexp_replace regexp_split_to_array replace reverse right rtrim sha256 split
    split_part starts_with str_split str_split_regex string_split string_split_regex
    string_to_array strip_accents strlen strpos substr substring suffix translate trim ucase
    unicode upper uuid_extract_timestamp uuid_extract_version
"""
_NUMBERS: Final = """
    abs acos add asin atan atan2 bin bit_count cbrt ceil ceiling cos cot degrees divide even exp
    fdiv floor fmod gcd greatest hex isfinite isinf isnan lcm least ln log log10 log2 mod multiply
    nextafter pi pow power radians random round round_even sign signbit sin sqrt subtract tan trunc
    xor
"""
_LISTS: Final = """
    apply array_append array_concat array_contains array_distinct array_extract array_filter
    array_has array_has_all array_has_any array_indexof array_intersect array_length array_position
    array_prepend array_reverse array_select array_slice array_sort array_transform array_unique
    array_value array_where array_zip cardinality element_at filter flatten len list_aggr
    list_aggregate list_any_value list_append list_apply list_avg list_cat list_concat
    list_contains list_count list_distinct list_element list_extract list_filter list_first
    list_has list_has_all list_has_any list_indexof list_intersect list_last list_max list_median
    list_min list_mode list_position list_prepend list_reverse list_reverse_sort list_select
    list_slice list_sort list_string_agg list_sum list_transform list_unique list_value list_where
    list_zip map map_concat map_contains map_entries map_extract map_extract_value map_from_entries
    map_keys map_values row struct_concat struct_extract struct_insert struct_keys struct_pack
    struct_update struct_values unnest
"""
_JSON: Final = """
    array_to_json json json_array json_array_length json_contains json_exists json_extract
    json_extract_path json_extract_path_text json_extract_string json_group_array
    json_group_object json_keys json_object json_pretty json_quote json_structure json_type
    json_valid json_value row_to_json to_json
"""
_CONDITIONS: Final = """
    constant_or_null error gen_random_uuid if nullif typeof uuid
"""

FUNCTIONS: Final = frozenset(
    name
    for group in (
        _OPERATORS,
        _AGGREGATES,
        _WINDOWS,
        _TIMES,
        _TEXTS,
        _NUMBERS,
        _LISTS,
        _JSON,
        _CONDITIONS,
    )
    for name in group.split()
)

TABLE_FUNCTIONS: Final = frozenset({"generate_series", "range", "unnest"})
